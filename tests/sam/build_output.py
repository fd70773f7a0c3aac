"""What `sam build` made: each function's folder and layers, with their sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder, as Lambda counts them: unpacked."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class BuildOutput:
    """A build folder of SAM."""

    folder: Path

    @cached_property
    def template(self) -> dict[str, Any]:
        """The template with CodeUri and ContentUri pointing into the build folder."""
        return dict(yaml_parse((self.folder / "template.yaml").read_text()))

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == f"AWS::Serverless::{kind}"
        }

    @cached_property
    def functions(self) -> dict[str, Path]:
        """Where each function was built."""
        built = self.resources("Function").items()
        return {name: self.folder / properties["CodeUri"] for name, properties in built}

    @cached_property
    def layers(self) -> dict[str, Path]:
        """Where each layer was built."""
        built = self.resources("LayerVersion").items()
        return {name: self.folder / properties["ContentUri"] for name, properties in built}

    def layers_of(self, function: str) -> list[str]:
        """The layers that a function is deployed with; its own come after those of Globals."""
        everywhere = self.template["Globals"]["Function"].get("Layers", [])
        own = self.resources("Function")[function].get("Layers", [])
        return [reference["Ref"] for reference in [*everywhere, *own]]

    def sizes_of(self, function: str) -> dict[str, int]:
        """Bytes of a function's folder and of each of its layers."""
        folders = {function: self.functions[function]}
        folders |= {layer: self.layers[layer] for layer in self.layers_of(function)}
        return {name: size_of(folder) for name, folder in folders.items()}

    def modules(self, layer: str) -> Iterator[Path]:
        """The Python files of a layer."""
        return (self.layers[layer] / "python").rglob("*.py")

(() => {
  const list = document.getElementById("columns");
  const items = [...list.children];
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const all = found.textContent;
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    for (const item of items) {
      item.hidden = !item.dataset.f.includes(wanted);
      shown += item.hidden ? 0 : 1;
    }
    found.textContent = wanted ? `${shown} of ${all}` : all;
  });
  const buttons = [...document.querySelectorAll("[data-by]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const by = button.dataset.by;
      const again = button.getAttribute("aria-pressed") === "true";
      const down = again ? button.dataset.down !== "1" : by !== "n" && by !== "o";
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      button.dataset.down = down ? "1" : "0";
      const compare = by === "n"
        ? (a, b) => a.dataset.f.localeCompare(b.dataset.f)
        : (a, b) => a.dataset[by] - b.dataset[by] || a.dataset.o - b.dataset.o;
      items.sort((a, b) => (down ? -compare(a, b) : compare(a, b)));
      list.append(...items);
    });
  }
})();

"""The whole story on real data: upload, model, prediction, drift, retrained model."""

"""OpenVINO: the vision tower converted from transformers, in f32, bf16, with weights in 4 bits, or calibrated in 8 bits."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

SIDE = 768


class OpenVino:
    """The tower as an OpenVINO model, converted once and kept in `work`."""

    def __init__(self, folder: Path, variant: str, images: Path, work: Path, threads: int):
        self.folder, self.variant, self.images, self.threads = folder, variant, images, threads
        self.place = work / f"{folder.name}-{variant}.xml"
        self.core = ov.Core()

    def load(self) -> dict[str, Any]:
        started = time.perf_counter()
        if not self.place.exists():
            self.place.parent.mkdir(parents=True, exist_ok=True)
            ov.save_model(self._converted(), self.place, compress_to_fp16=False)
        # 4- and 8-bit models compute what is not quantized in bf16, which is the faster of the two.
        precision = "f32" if self.variant == "f32" else "bf16"
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        settings["INFERENCE_NUM_THREADS"] = self.threads
        compiled = self.core.compile_model(self.core.read_model(self.place), "CPU", settings)
        self.request = compiled.create_infer_request()
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return {
            "seconds": time.perf_counter() - started, "precision": used,
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
        }  # fmt: skip

    def vision(self, image: str) -> dict[str, Any]:
        """The vision tower alone, without reading the image."""
        pixels = self._pixels(Path(image))
        started = time.perf_counter()
        self.request.infer([pixels], share_inputs=True, share_outputs=True)
        return {"vision": time.perf_counter() - started}

    def caption(self, *_: Any) -> None:
        raise NotImplementedError("only the vision tower runs in OpenVINO here")

    def _pixels(self, image: Path) -> np.ndarray:
        from PIL import Image

        settings = json.loads((self.folder / "preprocessor_config.json").read_text())
        with Image.open(image) as opened:
            resized = opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        values = np.asarray(resized, np.float32).transpose(2, 0, 1) / 255
        mean, std = (np.array(settings[name], np.float32)[:, None, None] for name in ("image_mean", "image_std"))
        return np.ascontiguousarray((values - mean) / std)[None]

    def _converted(self) -> ov.Model:
        if self.variant in ("f32", "bf16"):
            return self._from_transformers()
        import nncf

        model = self._from_transformers()
        if self.variant == "int4":
            return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT4_SYM, ratio=1.0, group_size=64)
        pictures = sorted(path for path in self.images.iterdir() if path.suffix in (".jpg", ".png", ".webp"))
        dataset = nncf.Dataset(pictures, self._pixels)
        return nncf.quantize(
            model, dataset, subset_size=len(pictures), preset=nncf.QuantizationPreset.MIXED,
            model_type=nncf.ModelType.TRANSFORMER,
        )  # fmt: skip

    def _from_transformers(self) -> ov.Model:
        import torch
        from transformers import Florence2ForConditionalGeneration

        whole = Florence2ForConditionalGeneration.from_pretrained(self.folder, dtype=torch.float32).eval()

        class Tower(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.tower = whole.model.vision_tower

            def forward(self, pixels: torch.Tensor) -> torch.Tensor:
                return self.tower(pixels).last_hidden_state

        with torch.inference_mode():
            return ov.convert_model(Tower().eval(), example_input=torch.zeros(1, 3, SIDE, SIDE), input=[1, 3, SIDE, SIDE])

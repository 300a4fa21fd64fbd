"""Golden values for the quantizers, from bitsandbytes 0.50.2 on a CPU.

    python research/reference/quant.py golden                  # writes ext/captioner/tests/fixtures/quant/
    python research/reference/quant.py checkpoint              # writes the two small checkpoints there
    python research/reference/quant.py large OUT.safetensors   # scale codes of 24 M weights, with one and two threads
    python research/reference/quant.py model FILE OUT.json     # digests for every matrix of a safetensors file

The inputs are made from a counter, so the Rust tests make the same ones (tests/quant_support) and the fixtures
hold digests of the outputs, with the outputs themselves for a few small cases. PyTorch's mean of 32768 values or more depends on
the number of its threads: golden values are of one thread, and `large` shows what two change.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import bitsandbytes.functional as bnb
import numpy as np
import torch
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from safetensors import safe_open
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parents[2] / "ext/captioner/tests/fixtures/quant"
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def mix(counter):
    """SplitMix64's output function over an array of counters."""
    z = counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def values(seed, count, kind):
    """`count` f32 values, bell-shaped, with a magnitude that changes every 1000 values.

    `kind`: plain; outliers (one in 499 is 32 times as large); zeros (runs of 200 zeros, so whole blocks are zero).
    """
    with np.errstate(over="ignore"):
        index = np.arange(count, dtype=np.uint64)
        base = np.uint64(seed << 40)
        bits = mix(base + index + np.uint64(1))
        spread = mix(base + index // np.uint64(1000) + np.uint64(1 << 39)) & np.uint64(15)
    mask = np.uint64(0xFFFF)
    total = sum((bits >> np.uint64(16 * k)) & mask for k in range(4)).astype(np.int64) - 131070
    out = total.astype(np.float32) * np.float32(2.0**-20)
    out *= np.float32(1) + spread.astype(np.float32) / np.float32(16)
    if kind == "outliers":
        out[index % np.uint64(499) == 7] *= np.float32(32)
    if kind == "zeros":
        out[(index // np.uint64(200)) % np.uint64(3) == 1] = 0
    return torch.from_numpy(out)


def sha(tensor):
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


def quantize(matrix, code, blocksize, double):
    """bitsandbytes' parts and its f32 values. One thread, for the mean's sake."""
    codes, state = bnb.quantize_4bit(matrix, blocksize=blocksize, compress_statistics=double, quant_type=code)
    state.dtype = torch.float32
    parts = {"codes": codes.reshape(-1)}
    if double:
        parts |= {"q": state.absmax, "absmax2": state.state2.absmax, "offset": state.offset.reshape(1)}
    else:
        parts["scales"] = state.absmax
    parts["values"] = dequantize(codes, state, parts.get("scales"))
    return parts


def dequantize(codes, state, scales):
    """bitsandbytes' f32 values. Where a row is not made of whole blocks its AVX-512 kernel takes scales of other blocks
    (it counts blocks per row), so there this takes the generic code of the same release."""
    if state.shape[-1] % state.blocksize == 0:
        return bnb.dequantize_4bit(codes, state).reshape(-1)
    if scales is None:
        scales = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset
    count = (int(np.prod(state.shape)),)
    generic = _dequantize_4bit_compute.__wrapped__
    return generic(codes.reshape(-1), scales, state.code, state.blocksize, count, torch.float32)


def cases():
    shapes = [(64,), (1, 1), (3, 5), (7, 9), (1, 64), (2, 32), (5, 64), (16, 96), (33, 100), (10, 63), (127, 65), (64, 192)]
    shapes += [(3, 3, 7, 7), (128, 3, 7, 7), (256, 96), (200, 130), (128, 512), (77, 771), (300, 200), (512, 384)]
    kinds, dtypes, blocksizes = ["plain", "outliers", "zeros"], list(DTYPES), [64, 64, 32, 64, 128]
    for n in range(50):
        yield {
            "seed": n,
            "shape": shapes[(n * 7) % len(shapes)],
            "kind": kinds[n % 3],
            "dtype": dtypes[(n // 3) % 3],
            "code": "nf4",
            "blocksize": blocksizes[n % 5],
            "double": n % 4 != 1,
        }
    # Above 32768 blocks the cascade of the mean has more levels in use.
    yield {"seed": 60, "shape": (2048, 1100), "kind": "plain", "dtype": "f16", "code": "nf4", "blocksize": 64, "double": True}


def golden():
    torch.set_num_threads(1)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    full, listing = {}, []
    for case in cases():
        count = int(np.prod(case["shape"]))
        matrix = values(case["seed"], count, case["kind"]).to(DTYPES[case["dtype"]]).reshape(case["shape"])
        parts = quantize(matrix, case["code"], case["blocksize"], case["double"])
        listing.append(case | {"len": count, "sha256": {name: sha(part) for name, part in parts.items()}})
        if count < 7000:
            full |= {f"{case['seed']}.{name}": part for name, part in parts.items() if count < 800 or name != "values"}
    for seed, blocksize, double in [(70, 64, True), (71, 32, False)]:
        parts = quantize(values(seed, 2048 + 30, "outliers").reshape(2, -1), "fp4", blocksize, double)
        full |= {f"fp4.{seed}.{name}": part for name, part in parts.items()}
    rows = []
    for seed, shape, kind in [(80, (37, 200), "zeros"), (81, (16, 333), "outliers"), (82, (200, 96), "plain")]:
        matrix = values(seed, shape[0] * shape[1], kind).reshape(shape).half()
        codes, scales, _ = bnb.int8_vectorwise_quant(matrix.clone())
        codes[scales == 0] = 0  # there it casts 0 * inf, whose value is the processor's choice
        parts = {"codes": codes, "scales": scales, "values": bnb.int8_vectorwise_dequant(codes, scales)}
        rows.append({"seed": seed, "shape": shape, "kind": kind, "sha256": {n: sha(p) for n, p in parts.items()}})
    full["dynamic_map"] = bnb.create_dynamic_map()
    (FIXTURES / "cases.json").write_text(json.dumps({"blocks": listing, "rows": rows}, indent=1) + "\n")
    save_file(full, FIXTURES / "full.safetensors")


def checkpoint():
    """Two BART models that transformers quantized and saved: NF4 with double quantization, FP4 without."""
    from transformers import BartConfig, BartForConditionalGeneration, BitsAndBytesConfig

    config = BartConfig(
        vocab_size=40,
        d_model=96,
        max_position_embeddings=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=72,
        decoder_ffn_dim=72,
    )
    model = BartForConditionalGeneration(config).half()
    listing = {}
    for n, (name, layer) in enumerate(model.named_modules()):
        if isinstance(layer, torch.nn.Linear) and name != "lm_head":
            weight = values(200 + n, layer.weight.numel(), "outliers").reshape(layer.weight.shape)
            layer.weight.data = weight.half()
            listing[f"{name}.weight"] = {"seed": 200 + n, "shape": list(weight.shape)}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        for code, double in [("nf4", True), ("fp4", False)]:
            four_bit = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type=code, bnb_4bit_use_double_quant=double
            )
            quantized = BartForConditionalGeneration.from_pretrained(
                folder, quantization_config=four_bit, dtype=torch.float16
            )
            quantized.save_pretrained(f"{folder}/{code}")
            shutil.copyfile(f"{folder}/{code}/model.safetensors", FIXTURES / f"bart-{code}.safetensors")
            for name, layer in quantized.named_modules():
                if f"{name}.weight" in listing:
                    state = layer.weight.quant_state
                    scales = None if state.nested else state.absmax
                    listing[f"{name}.weight"][code] = sha(dequantize(layer.weight.data, state, scales))
    (FIXTURES / "bart.json").write_text(json.dumps(listing, indent=1) + "\n")


def large(path):
    out = {}
    shapes = [(768, 768), (3072, 768), (1024, 4096), (4096, 1024), (2048, 2048), (1536, 3072), (1000, 3333)]
    for n, shape in enumerate(shapes):
        for threads in (1, 2):
            torch.set_num_threads(threads)
            matrix = values(100 + n, shape[0] * shape[1], "plain").reshape(shape)
            parts = quantize(matrix, "nf4", 64, True)
            out |= {f"{100 + n}.{threads}.{name}": part.clone() for name, part in parts.items() if name != "values"}
        out[f"{100 + n}.values_sum"] = parts["values"].double().sum().reshape(1)
    save_file(out, path)


def model(path, out):
    torch.set_num_threads(1)
    digests = {}
    with safe_open(path, "pt") as file:
        for name in file.keys():
            matrix = file.get_tensor(name)
            if matrix.ndim > 1:
                digests[name] = {part: sha(data) for part, data in quantize(matrix, "nf4", 64, True).items()}
    Path(out).write_text(json.dumps(digests))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["golden"]:
            golden()
        case ["checkpoint"]:
            checkpoint()
        case ["model", path, out]:
            model(path, out)
        case ["large", path]:
            large(path)
        case _:
            sys.exit(__doc__)

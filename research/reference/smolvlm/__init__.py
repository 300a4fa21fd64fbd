"""Golden values of the SmolVLM family, from transformers' Idefics3 and SmolVLM in f32."""

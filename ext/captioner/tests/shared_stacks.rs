//! The stacks that families share, on random weights: against candle-transformers, an implementation of its own, where it has
//! the architecture, else against the definition in `f64`.

mod shared_stacks_support;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, siglip};
use captioner::blocks::{
    CausalConfig, CausalDecoder, CausalNames, CausalState, MlpNames, NormKind, PatchEmbedding, Vit, VitConfig, VitNames,
};
use captioner::kernels::{ActivationScales, Compute};
use captioner::nn::{Activation, HeadShape, Linear, PatchConv, QkvNames};
use captioner::weights::Scope;
use shared_stacks_support::{definition, noise, Invented};

/// ‖ours - reference‖ / ‖reference‖
fn error(ours: &[f32], reference: impl IntoIterator<Item = f64>) -> f64 {
    let (mut difference, mut length) = (0.0, 0.0);
    let mut count = 0;
    for (ours, reference) in ours.iter().zip(reference) {
        difference += (f64::from(*ours) - reference).powi(2);
        length += reference * reference;
        count += 1;
    }
    assert_eq!(count, ours.len());
    (difference / length).sqrt()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn wide(x: &Tensor) -> Vec<f64> {
    values(x).into_iter().map(f64::from).collect()
}

#[test]
fn an_image_tower_equals_candles_siglip() {
    let (images, side, patch, hidden) = (2, 320, 16, 96);
    let weights = Invented::default();
    let scope = Scope::root(&weights, Compute::Exact).pp("vision_model");
    let config = VitConfig {
        hidden,
        heads: 4,
        layers: 3,
        mlp_hidden: 200,
        eps: 1e-6,
        activation: Activation::GeluTanh,
        names: VitNames {
            layers: "encoder.layers",
            attention_norm: "layer_norm1",
            qkv: QkvNames::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
            attention_out: "self_attn.out_proj",
            mlp_norm: "layer_norm2",
            mlp: ["mlp.fc1", "mlp.fc2"],
            final_norm: "post_layernorm",
        },
    };
    let tower = Vit::load(&config, scope.clone()).unwrap();
    let tokens = (side / patch) * (side / patch);
    let patches = PatchConv::load(3, hidden, (patch, patch, 0), scope.pp("embeddings.patch_embedding")).unwrap();
    let positions = scope.pp("embeddings.position_embedding").tensor("weight", &[tokens, hidden]).unwrap();
    let pixels = Tensor::from_vec(noise(images * side * side * 3, 1), (images * side * side, 3), &Device::Cpu).unwrap();
    let x = PatchEmbedding::new(patches, positions, patch).forward(&pixels, (side, side)).unwrap();
    for layer in 0..tower.layers() {
        tower.layer(layer, &x, tokens).unwrap();
    }
    let ours = tower.norm(&x).unwrap();

    let theirs = siglip::VisionConfig {
        hidden_size: hidden,
        intermediate_size: 200,
        num_hidden_layers: 3,
        num_attention_heads: 4,
        num_channels: 3,
        image_size: side,
        patch_size: patch,
        hidden_act: candle_nn::Activation::GeluPytorchTanh,
        layer_norm_eps: 1e-6,
    };
    let vars = VarBuilder::from_tensors(weights.tensors(), DType::F32, &Device::Cpu);
    let model = siglip::VisionModel::new(&theirs, false, vars.pp("vision_model")).unwrap();
    let planes = pixels.reshape((images, side, side, 3)).unwrap().permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
    let reference = candle_core::Module::forward(&model, &planes).unwrap();
    let error = error(&values(&ours), wide(&reference));
    assert!(error <= 1e-5, "{error:e}");
}

#[test]
fn a_gated_decoder_equals_candles_llama_in_the_prompt_and_token_by_token() {
    let (hidden, vocabulary, prompt) = (96, 50, 300);
    let weights = Invented::default();
    let root = Scope::root(&weights, Compute::Exact);
    let config = CausalConfig {
        hidden,
        layers: 3,
        heads: HeadShape { heads: 6, kv_heads: 2, dim: 16 },
        mlp_hidden: 160,
        norm: NormKind::Rms,
        eps: 1e-5,
        rope_theta: 100_000.0,
        rotary_dim: 16,
        bias: false,
        names: CausalNames {
            layers: "layers",
            attention_norm: "input_layernorm",
            qkv: QkvNames::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
            attention_out: "self_attn.o_proj",
            mlp_norm: Some("post_attention_layernorm"),
            mlp: MlpNames::Gated(["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]),
            final_norm: "norm",
        },
    };
    let decoder = CausalDecoder::load(&config, root.pp("model")).unwrap();
    let head = Linear::load(hidden, vocabulary, false, root.pp("lm_head")).unwrap();
    weights.invent("model.embed_tokens.weight", &[vocabulary, hidden]);

    let theirs = llama::Config {
        hidden_size: hidden,
        intermediate_size: 160,
        vocab_size: vocabulary,
        num_hidden_layers: 3,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        use_flash_attn: false,
        rms_norm_eps: 1e-5,
        rope_theta: 100_000.0,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: 1024,
        tie_word_embeddings: false,
    };
    let vars = VarBuilder::from_tensors(weights.tensors(), DType::F32, &Device::Cpu);
    let model = llama::Llama::load(vars, &theirs).unwrap();
    let mut cache = llama::Cache::new(true, DType::F32, &theirs, &Device::Cpu).unwrap();
    let check = |hidden: &Tensor, reference: Tensor, at: usize| {
        let error = error(&values(&head.forward(hidden).unwrap()), wide(&reference));
        assert!(error <= 1e-5, "at {at}: {error:e}");
    };

    let x = noise(prompt * hidden, 2);
    let as_batch = |x: &[f32]| Tensor::from_slice(x, (1, x.len() / hidden, hidden), &Device::Cpu).unwrap();
    let reference = model.forward_input_embed(&as_batch(&x), 0, &mut cache).unwrap();
    let mut prefill = decoder.start(Tensor::from_vec(x, (prompt, hidden), &Device::Cpu).unwrap(), 0).unwrap();
    assert!(decoder.finish(&prefill).is_err(), "a prompt before its last layer has no state");
    while prefill.layers() < decoder.layers() {
        decoder.layer(&mut prefill).unwrap();
    }
    let (last, mut state) = decoder.finish(&prefill).unwrap();
    check(&last, reference, prompt - 1);
    for step in 0..5 {
        let x = noise(hidden, 10 + step as u32);
        let reference = model.forward_input_embed(&as_batch(&x), prompt + step, &mut cache).unwrap();
        let token = Tensor::from_vec(x, (1, hidden), &Device::Cpu).unwrap();
        check(&decoder.step(&token, &mut state).unwrap(), reference, prompt + step);
        assert_eq!(state.length(), prompt + step + 1);
    }
}

/// A decoder with one norm a layer, a fused projection, and heads of which a part turns.
fn parallel<'a>(hidden: usize) -> CausalConfig<'a> {
    CausalConfig {
        hidden,
        layers: 2,
        heads: HeadShape { heads: 3, kv_heads: 3, dim: 20 },
        mlp_hidden: 70,
        norm: NormKind::Layer,
        eps: 1e-5,
        rope_theta: 10_000.0,
        rotary_dim: 12,
        bias: true,
        names: CausalNames {
            layers: "blocks",
            attention_norm: "ln",
            qkv: QkvNames::Fused("attn.qkv"),
            attention_out: "attn.proj",
            mlp_norm: None,
            mlp: MlpNames::Plain(["mlp.fc1", "mlp.fc2"], Activation::GeluTanh),
            final_norm: "post_ln",
        },
    }
}

fn prefilled(decoder: &CausalDecoder, x: &[f32], hidden: usize, prefix: usize) -> (Tensor, CausalState) {
    let x = Tensor::from_slice(x, (x.len() / hidden, hidden), &Device::Cpu).unwrap();
    let mut prefill = decoder.start(x, prefix).unwrap();
    (0..decoder.layers()).for_each(|_| decoder.layer(&mut prefill).unwrap());
    decoder.finish(&prefill).unwrap()
}

#[test]
fn a_parallel_decoder_equals_the_definition_for_every_prefix_and_beam() {
    let hidden = 60;
    let weights = Invented::default();
    let config = parallel(hidden);
    let decoder = CausalDecoder::load(&config, Scope::root(&weights, Compute::Exact)).unwrap();
    // Prompts of a few rows, of one tile, and of several tiles of queries.
    for (prompt, prefix) in [(1, 0), (1, 1), (6, 2), (40, 0), (40, 12), (40, 40), (290, 270)] {
        let x = noise(prompt * hidden, 3);
        let (last, mut state) = prefilled(&decoder, &x, hidden, prefix);
        let mut lean = decoder
            .start(Tensor::from_slice(&x, (prompt, hidden), &Device::Cpu).unwrap(), prefix)
            .unwrap()
            .state_only();
        (0..decoder.layers()).for_each(|_| decoder.layer(&mut lean).unwrap());
        assert!(decoder.finish(&lean).is_err(), "there is no last hidden state");
        let mut lean = decoder.state(&lean).unwrap();
        let reference = definition(&config, &weights, &x, prefix);
        let error_of = |ours: &[f32], reference: &[f64]| error(ours, reference[reference.len() - hidden..].to_vec());
        let first = error_of(&values(&last), &reference);
        assert!(first <= 1e-5, "{prompt} with {prefix}: {first:e}");

        // One beam becomes three, which go on with tokens of their own and then change places.
        let mut beams = vec![x];
        for (step, parents) in [&[0, 0, 0][..], &[2, 0, 2], &[1, 1, 0], &[0, 1, 2]].into_iter().enumerate() {
            let tokens = noise(beams.len() * hidden, 20 + step as u32);
            beams.iter_mut().zip(tokens.chunks(hidden)).for_each(|(beam, token)| beam.extend_from_slice(token));
            let tokens = Tensor::from_slice(&tokens, (beams.len(), hidden), &Device::Cpu).unwrap();
            let again = tokens.copy().unwrap();
            let ours = values(&decoder.step(&tokens, &mut state).unwrap());
            assert_eq!(values(&decoder.step(&again, &mut lean).unwrap()), ours);
            lean.reorder(parents);
            for (beam, ours) in beams.iter().zip(ours.chunks(hidden)) {
                let reference = definition(&config, &weights, beam, prefix);
                let error = error_of(ours, &reference);
                assert!(error <= 1e-5, "{prompt} with {prefix}, step {step}: {error:e}");
            }
            state.reorder(parents);
            beams = parents.iter().map(|parent| beams[*parent].clone()).collect();
        }
    }
}

/// Int8 and bf16 products, attention in bf16, and a prefix remembered in f16: close to exact arithmetic, in a prompt and in
/// steps.
#[test]
fn rounded_arithmetic_is_close_to_exact() {
    let (hidden, prompt) = (60, 300);
    let config = parallel(hidden);
    let run = |weights: &Invented, scope: Scope| {
        let decoder = CausalDecoder::load(&config, scope).unwrap();
        let (last, mut state) = prefilled(&decoder, &noise(prompt * hidden, 3), hidden, 270);
        let mut outputs = values(&last);
        for step in 0..3 {
            let token = Tensor::from_vec(noise(hidden, 20 + step), (1, hidden), &Device::Cpu).unwrap();
            outputs.extend(values(&decoder.step(&token, &mut state).unwrap()));
        }
        assert!(!weights.tensors().is_empty());
        outputs
    };
    let (floats, int8) = (Invented::default(), Invented::int8());
    for (weights, compute, most) in
        [(&floats, Compute::Bf16, 0.02), (&int8, Compute::Bf16, 0.02), (&int8, Compute::Fast, 0.06)]
    {
        let exact: Vec<f64> = run(weights, Scope::root(weights, Compute::Exact)).into_iter().map(f64::from).collect();
        for scales in [ActivationScales::PerRow, ActivationScales::PerBlock] {
            let ours = run(weights, Scope::root(weights, compute).scaling(scales));
            let error = error(&ours, exact.iter().copied());
            assert!(error > 0.0 && error <= most, "{compute:?} {scales:?}: {error:e}");
        }
    }
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    let weights = Invented::default();
    let load = |change: fn(&mut CausalConfig)| {
        let mut config = parallel(60);
        change(&mut config);
        CausalDecoder::load(&config, Scope::root(&weights, Compute::Exact))
    };
    assert!(load(|_| {}).is_ok());
    assert!(load(|config| config.heads.kv_heads = 2).is_err());
    assert!(load(|config| config.heads.kv_heads = 0).is_err());
    assert!(load(|config| config.rotary_dim = 22).is_err());
    assert!(load(|config| config.rotary_dim = 5).is_err());
}

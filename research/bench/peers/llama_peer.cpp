// llama.cpp's mtmd in a process that stays loaded: each line "NEW_TOKENS PATH" gives one line of JSON.
//
//     llama_peer TEXT.gguf MMPROJ.gguf THREADS
//
// Greedy; the end token is forbidden, so that an answer has exactly NEW_TOKENS tokens. The prompt is the application's.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "llama.h"
#include "mtmd-helper.h"
#include "mtmd.h"

using Clock = std::chrono::steady_clock;

static double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] static void fail(const char * what) {
    std::fprintf(stderr, "llama_peer: %s\n", what);
    std::exit(1);
}

static void errors_only(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

struct Peer {
    llama_model * model;
    llama_context * context;
    mtmd_context * vision;
    int vocabulary;

    Peer(const char * text, const char * projector, int threads) {
        llama_log_set(errors_only, nullptr);
        mtmd_helper_log_set(errors_only, nullptr);
        ggml_backend_load_all();
        model = llama_model_load_from_file(text, llama_model_default_params());
        if (!model) fail("the text model does not load");
        llama_context_params settings = llama_context_default_params();
        settings.n_ctx = settings.n_batch = 2048;
        settings.n_threads = settings.n_threads_batch = threads;
        context = llama_init_from_model(model, settings);
        mtmd_context_params media = mtmd_context_params_default();
        media.use_gpu = false;
        media.print_timings = false;
        media.n_threads = threads;
        vision = mtmd_init_from_file(projector, model, media);
        if (!context || !vision) fail("the vision model does not load");
        vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    }

    // The best token that does not end the answer.
    llama_token best() const {
        const llama_vocab * vocab = llama_model_get_vocab(model);
        const float * logits = llama_get_logits_ith(context, -1);
        llama_token found = -1;
        for (int id = 0; id < vocabulary; id++) {
            if ((found < 0 || logits[id] > logits[found]) && !llama_vocab_is_eog(vocab, id)) found = id;
        }
        return found;
    }

    // Seconds that the vision tower took; the prompt is in the cache afterwards.
    double read(const char * path, int * tokens) {
        llama_memory_clear(llama_get_memory(context), true);
        mtmd_bitmap * bitmap = mtmd_helper_bitmap_init_from_file(vision, path, false, mtmd_helper_init_opt_default()).bitmap;
        if (!bitmap) fail("the picture does not load");
        const std::string prompt = std::string("<|im_start|>User:") + mtmd_default_marker() +
            "Can you describe this image?<end_of_utterance>\nAssistant:";
        const mtmd_input_text text = {prompt.data(), prompt.size(), false, true};
        const mtmd_bitmap * bitmaps[] = {bitmap};
        mtmd_input_chunks * chunks = mtmd_input_chunks_init();
        if (mtmd_tokenize(vision, chunks, &text, bitmaps, 1)) fail("the prompt does not tokenize");
        const size_t count = mtmd_input_chunks_size(chunks);
        *tokens = static_cast<int>(mtmd_helper_get_n_tokens(chunks));
        double seconds = 0;
        llama_pos past = 0;
        mtmd_batch * batch = nullptr;
        for (size_t place = 0; place < count; place++) {
            const mtmd_input_chunk * chunk = mtmd_input_chunks_get(chunks, place);
            if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT) {
                if (mtmd_helper_eval_chunk_single(vision, context, chunk, past, 0, 2048, place + 1 == count, &past)) fail("text");
                continue;
            }
            const auto start = Clock::now();
            float * embeddings = batch ? mtmd_batch_get_output_embd(batch, chunk) : nullptr;
            if (!embeddings) {
                if (batch) mtmd_batch_free(batch);
                batch = mtmd_batch_init(vision);
                if (mtmd_batch_add_chunk(batch, chunk) || mtmd_batch_encode(batch)) fail("the vision tower");
                embeddings = mtmd_batch_get_output_embd(batch, chunk);
            }
            seconds += since(start);
            if (mtmd_helper_decode_image_chunk(vision, context, chunk, embeddings, past, 0, 2048, &past, nullptr, nullptr)) fail("image");
        }
        if (batch) mtmd_batch_free(batch);
        mtmd_input_chunks_free(chunks);
        mtmd_bitmap_free(bitmap);
        return seconds;
    }

    void caption(const char * path, int count) {
        const auto start = Clock::now();
        int prompt = 0;
        const double seconds = read(path, &prompt);
        std::vector<double> steps;
        llama_token token = best();
        const double first = since(start);
        for (int made = 1; made < count; made++) {
            const auto began = Clock::now();
            if (llama_decode(context, llama_batch_get_one(&token, 1))) fail("a step");
            token = best();
            steps.push_back(since(began));
        }
        const double total = since(start);
        std::sort(steps.begin(), steps.end());
        const double step = steps.empty() ? 0 : steps[steps.size() / 2];
        std::printf("{\"caption\": %.6f, \"vision\": %.6f, \"first\": %.6f, \"step\": %.6f, \"tokens\": %d, \"prompt_tokens\": %d}\n",
                    total, seconds, first, step, count, prompt);
        std::fflush(stdout);
    }
};

int main(int argc, char ** argv) {
    if (argc != 4) fail("usage: llama_peer TEXT.gguf MMPROJ.gguf THREADS");
    Peer peer(argv[1], argv[2], std::atoi(argv[3]));
    std::printf("{\"loaded\": true}\n");
    std::fflush(stdout);
    int count;
    std::string path;
    while (std::cin >> count && std::getline(std::cin >> std::ws, path)) peer.caption(path.c_str(), count);
}

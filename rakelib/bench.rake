# frozen_string_literal: true

namespace :bench do
  desc "What this machine can do at most: operations in f32, bf16 and int8, reading memory, candle's f32 matmul"
  task :ceiling do
    bench = %w[cargo bench --locked --package captioner --bench]
    sh(*bench, "kernels", "--", "ceiling")
    sh(*bench, "machine")
  end

  desc "The matrix kernels in the models' shapes, beside the machine's ceilings"
  task :kernels do
    sh "cargo", "bench", "--locked", "--package", "captioner", "--bench", "kernels"
  end

  desc "The gem beside its peers on the same weights, pair by pair; research/bench/setup first. ROWS=a,b for some"
  task :peers do
    ruby "research/bench/compare", *(["--only", ENV["ROWS"]] if ENV["ROWS"])
  end
end

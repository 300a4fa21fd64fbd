# frozen_string_literal: true

threads 3, 3
environment "production"
bind "tcp://127.0.0.1:#{ENV.fetch("PORT")}"
workers Integer(ENV.fetch("WEB_CONCURRENCY", "0"))
preload_app!

# The parent loads and even captions; its children share the weights.
before_fork do
  MemeCaptioner.select("quick").extract(Rails.root.join("../../../data/memes/meme-04.jpg"))
end

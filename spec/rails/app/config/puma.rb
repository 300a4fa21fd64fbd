# frozen_string_literal: true

threads 3, 3
environment "production"
bind "tcp://127.0.0.1:#{ENV.fetch("PORT")}"
workers Integer(ENV.fetch("WEB_CONCURRENCY", "0"))
preload_app!
# On Ruby 3.3 a worker of Puma 6.6 now and then never ends, with or without this gem: it hangs in closing the pipe that its
# signal handler writes to. Puma kills it then, after 30 seconds unless told otherwise.
worker_shutdown_timeout 10

# The parent loads and even captions; its children share the weights.
before_fork do
  MemeCaptioner.select("quick").extract(Rails.root.join("../../../data/memes/meme-04.jpg"))
end

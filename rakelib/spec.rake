# frozen_string_literal: true

desc "Run the Ruby specs that need no servers (needs `rake compile`)"
task :spec do
  ruby "-S", "rspec", "--exclude-pattern", "spec/rails/**/*_spec.rb"
end

namespace :spec do
  desc "Run the specs of a Rails application behind Puma, with Sidekiq, PostgreSQL and Redis, which they start themselves"
  task :rails do
    ruby "-S", "rspec", "spec/rails"
  end

  # Not those that start processes or talk to databases: a collection at each of their allocations takes too long.
  stressed = %w[captioner coercion configuration errors generation input native registry seeds test_captioner turns]

  desc "Run unit specs with a garbage collection at every allocation"
  task :gc_stress do
    sh({ "GC_STRESS" => "1" }, RbConfig.ruby, "-S", "rspec", *stressed.map { |name| "spec/unit/#{name}_spec.rb" })
  end
end

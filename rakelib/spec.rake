# frozen_string_literal: true

desc "Run the Ruby specs (needs `rake compile`)"
task :spec do
  ruby "-S", "rspec"
end

# frozen_string_literal: true

# The tables of Solid Queue, which brings their schema, where the jobs are its.
load "#{Gem.loaded_specs["solid_queue"].full_gem_path}/lib/generators/solid_queue/install/templates/db/queue_schema.rb" \
  if defined?(SolidQueue)

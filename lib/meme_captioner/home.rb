# frozen_string_literal: true

require "etc"

module MemeCaptioner
  # The user's folder, where one can be found, as the compiled library finds it for the Hugging Face cache. Services and
  # containers often run without one, and that is no reason to fail.
  # @api private
  module Home
    class << self
      # @param env [#[]]
      # @return [String] HOME where it is an absolute path; without HOME what the user database says; otherwise the system's
      #   folder for temporary files
      def of(env)
        home = given(env, "HOME") || registered
        absolute?(home) ? home : temporary(env)
      end

      # @param env [#[]]
      # @return [String] where the user's programs keep what can be made again
      def cache(env)
        folder = given(env, "XDG_CACHE_HOME")
        folder = folder.sub(%r{\A~(?=/|\z)}) { of(env) } if folder
        absolute?(folder) ? folder : File.join(of(env), ".cache")
      end

      # @param path [String] relative to the working directory, or to the user's folder with a "~/" in front
      # @return [String] absolute
      # @raise [ArgumentError, SystemCallError] for another user's folder that is not known, and without a working directory
      def expand(path, env = ENV)
        File.expand_path(path.sub(%r{\A~(?=/|\z)}) { of(env) })
      end

      private

      def given(env, name)
        env[name] unless env[name].to_s.empty?
      end

      def absolute?(path)
        path.to_s.start_with?("/")
      end

      # @return [String, nil] nil for a user that nobody entered, as containers have them
      def registered
        Etc.getpwuid(Process.uid)&.dir
      rescue ArgumentError
        nil
      end

      def temporary(env)
        absolute?(env["TMPDIR"]) ? env["TMPDIR"] : "/tmp"
      end
    end
  end
end

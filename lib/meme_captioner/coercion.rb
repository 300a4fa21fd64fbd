# frozen_string_literal: true

require "logger"

module MemeCaptioner
  # Turns what an application or an environment variable gives into the value of a setting. Each method takes the value and
  # returns the setting, or nil where the value is not acceptable.
  # @api private
  module Coercion
    FLAGS = { "1" => true, "true" => true, "yes" => true, "on" => true,
              "0" => false, "false" => false, "no" => false, "off" => false }.freeze

    # What each kind of setting accepts, as the message of a refusal says it.
    EXPECTED = {
      count: "a positive integer",
      flag: "true or false (as text: 1, true, yes, on, 0, false, no, off)",
      path: "a path",
      compute: "fast, bf16 or exact",
      logger: "a logger (as text: stderr, stdout or a path)"
    }.freeze

    class << self
      # @return [Object] the value as a setting of this kind
      # @raise [SettingError] if it cannot be one
      def call(kind, value, name)
        result = public_send(kind, value)
        return result unless result.nil?

        raise SettingError, refusal(kind, value, name)
      rescue SystemCallError => e
        raise SettingError, "#{refusal(kind, value, name)} (#{e.message})"
      end

      # @return [String] why the value is not acceptable
      def refusal(kind, value, name)
        expected = kind == :recipe ? "one of #{Families.recipes.join(", ")}" : EXPECTED.fetch(kind)
        "#{name} must be #{expected}, got #{value.inspect}"
      end

      def count(value)
        number = value.is_a?(String) ? Integer(value, 10, exception: false) : value
        number if number.is_a?(Integer) && number.positive?
      end

      def flag(value)
        value.is_a?(String) ? FLAGS[value.downcase] : FLAGS[value.to_s]
      end

      def recipe(value)
        Families.recipes.find { |recipe| recipe.to_s == value.to_s }
      end

      def compute(value)
        %i[fast bf16 exact].find { |mode| mode.to_s == value.to_s }
      end

      def path(value)
        return unless value.is_a?(String) || value.respond_to?(:to_path)

        text = value.respond_to?(:to_path) ? value.to_path : value
        Home.expand(text) unless text.empty?
      rescue ArgumentError
        nil
      end

      def logger(value)
        case value
        when "stderr" then Logger.new($stderr)
        when "stdout" then Logger.new($stdout)
        when String then Logger.new(value)
        else value if value.respond_to?(:info) && value.respond_to?(:warn)
        end
      end
    end
  end
end

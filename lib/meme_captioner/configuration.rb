# frozen_string_literal: true

module MemeCaptioner
  # The settings of this process. Each is an attribute here and an environment variable MEME_CAPTIONER_<NAME>; an assignment
  # wins over the variable, and assigning nil brings back the variable or the default.
  #
  #   MemeCaptioner.configure do |config|
  #     config.threads = 2
  #     config.cache_dir = Rails.root.join("storage/models")
  #   end
  class Configuration
    # name => [kind of value, default]
    SETTINGS = {
      threads: [:count, nil],
      max_concurrent: [:count, 2],
      cache_dir: [:path, nil],
      offline: [:flag, nil],
      max_pixels: [:count, 89_478_485],
      apply_orientation: [:flag, true],
      memory_limit: [:count, nil],
      map_weights: [:flag, true],
      recipe: [:recipe, nil],
      compute: %i[compute fast],
      allow_withheld: [:flag, false],
      logger: [:logger, nil]
    }.freeze

    # @!attribute [rw] threads
    #   @return [Integer, nil] threads that one process computes with; nil for one per core
    # @!attribute [rw] max_concurrent
    #   @return [Integer] captions computed at the same time; more callers wait their turn, first come, first served
    # @!attribute [rw] cache_dir
    #   @return [String, nil] where models are kept; nil for the Hugging Face cache (HF_HUB_CACHE, HF_HOME) and {packed_dir}
    # @!attribute [rw] offline
    #   @return [Boolean, nil] never use the network; nil lets HF_HUB_OFFLINE decide
    # @!attribute [rw] max_pixels
    #   @return [Integer] larger images are refused before memory is taken for them
    # @!attribute [rw] apply_orientation
    #   @return [Boolean] turn and mirror photographs as their EXIF orientation says; false reads them as they are stored, as
    #     services do that caption with Pillow
    # @!attribute [rw] memory_limit
    #   @return [Integer, nil] bytes of weights that this process keeps loaded: past it a load drops the models that were used
    #     least recently; nil for no limit
    # @!attribute [rw] map_weights
    #   @return [Boolean] map weights from their file (shared between processes) instead of reading them into memory
    # @!attribute [rw] recipe
    #   @return [Symbol, nil] how a quantized model is packed, where its family has a recipe of this name for the quantization;
    #     nil for the default of each. docs/models.md lists them. A checkpoint that bitsandbytes quantized keeps its own tensors.
    # @!attribute [rw] compute
    #   @return [Symbol] how products with weights are computed: :fast multiplies weights in 4 or 8 bits in int8 and others in
    #     32-bit floating point, :bf16 rounds all to bf16, :exact computes all in 32 bits
    # @!attribute [rw] allow_withheld
    #   @return [Boolean] list and select models whose captions were found too bad to be offered
    # @!attribute [rw] logger
    #   @return [Logger] where downloads and loads are reported; by default warnings go to standard error
    SETTINGS.each do |name, (kind, _default)|
      define_method(name) { @values.fetch(name) }
      define_method(:"#{name}=") do |value|
        @values[name] = value.nil? ? initial(name) : Coercion.call(kind, value, name)
      end
    end

    # @param env [#[]] where the MEME_CAPTIONER_ variables are read
    # @raise [SettingError] naming the variable whose value cannot be used
    def initialize(env = ENV)
      @env = env
      reset
    end

    # Brings back the environment's values and the defaults.
    # @return [self]
    def reset
      @values = SETTINGS.to_h { |name, _| [name, initial(name)] }
      self
    end

    # What to log to where no logger was chosen.
    # @param logger [Logger]
    def default_logger=(logger)
      untouched = self.logger.equal?(default_logger)
      @default_logger = logger
      @values[:logger] = logger if untouched
    end

    # @return [Hash{Symbol => Object}] every setting and its value
    def to_h
      @values.dup
    end

    # The settings alone: this ends up in messages of errors, where the environment has no place.
    # @return [String]
    def inspect
      "#<#{self.class} #{@values.except(:logger).map { |name, value| "#{name}=#{value.inspect}" }.join(" ")}>"
    end

    # @return [String] where packed models are kept: cache_dir, or a folder of their own in the user's cache
    def packed_dir
      cache_dir || File.join(Home.cache(@env), "meme_captioner")
    end

    private

    def initial(name)
      kind, default = SETTINGS.fetch(name)
      variable = "MEME_CAPTIONER_#{name.upcase}"
      text = @env[variable].to_s
      return Coercion.call(kind, text, variable) unless text.empty?

      name == :logger ? default_logger : default
    end

    def default_logger
      @default_logger ||= Logger.new($stderr, level: Logger::WARN)
    end
  end
end

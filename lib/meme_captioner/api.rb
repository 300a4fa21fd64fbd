# frozen_string_literal: true

# Captions images inside the Ruby process.
#
#   MemeCaptioner.select.extract("meme.jpg") # => "The image shows ..."
module MemeCaptioner
  @mutex = Mutex.new
  @registry = Registry.new

  class << self
    # Chooses a model. No files are touched.
    # @param name [String, Symbol] one of the names of {models}
    # @return [Captioner]
    # @raise [UnknownModelError] with suggestions
    # @raise [WithheldModelError] for a model whose captions were found too bad; the setting allow_withheld lets it pass
    # @raise [ContextError] in a Ractor other than the main one
    def select(name = default_model.name)
      info = OwnVerdict.by_project(registry.fetch(name))
      Admission.check_offer(info)
      captioner(info)
    end

    # A model to be measured, however bad it may be.
    # @api private
    # @return [Captioner]
    def candidate(name)
      captioner(registry.fetch(name), admission: false)
    end

    # @api private
    # @return [Array<ModelInfo>] every name, withheld ones too
    def known
      registry.all
    end

    # @return [Array<ModelInfo>] every name that can be selected; where this installation has validated a model, with its own
    #   verdict
    def models
      infos = registry.all.map { |info| OwnVerdict.apply(info) }
      infos.reject! { |info| info.stability == :withheld } unless config.allow_withheld
      infos.freeze
    end

    # @return [ModelInfo] the first of the seeds
    def default_model
      Catalogue::SEEDED.first
    end

    # Makes a model of the application's own selectable: a folder, a packed file, or a repository at a fixed commit. Its family
    # is found out when it is used.
    # @param name [String] letters, digits, dots, dashes and underscores
    # @param path [String, #to_path, nil] the folder or the packed file
    # @param repo [String, nil] owner/name on the hub
    # @param revision [String, nil] the commit, with repo:
    # @param quantization [:int8, :nf4, nil] nil for the checkpoint's own precision
    # @return [ModelInfo]
    # @raise [ArgumentError] for wrong arguments, and for a name that another model has
    def register(name, path: nil, repo: nil, revision: nil, quantization: nil)
      registry.register(name, path: path, repo: repo, revision: revision, quantization: quantization)
    end

    # Compares models in reduced precision with the full one on images of the application's own, and says whether they are
    # good enough.
    # @param images [Array<String, #to_path>, nil] files and folders; nil for the samples that come with the gem
    # @param base [String] the model in full precision
    # @param candidates [Array<String>] the models in question
    # @param out [String, nil] a folder for the report; what is computed is kept there, so that an interrupted run goes on
    # @param options [Hash] task: or prompt:, and judgements:, a file that a report's page saved
    # @yieldparam row [Validation::Row] each image as it is done, with
    # @yieldparam done [Integer] how many are done
    # @yieldparam total [Integer] of how many
    # @return [Validation::Outcome]
    # @raise [Error] if a model cannot be loaded; an image that cannot be read stops nothing
    # @raise [ArgumentError] if there is nothing to compare
    def validate(images = nil, base:, candidates:, out: nil, **options, &block)
      models = [base, *candidates].map { |name| candidate(name) }
      Validation.new(images, base: models.first, candidates: models.drop(1), **options).run(out, &block)
    end

    # @return [Hash{String => Integer}] the models in this process's memory, with the bytes of their weights
    def loaded
      Weights.loaded
    end

    # Frees a model's weights as soon as no caption uses them.
    # @param name [String] the model's name
    # @return [Boolean] whether it was loaded
    # @raise [UnknownModelError]
    def unload(name)
      Weights.unload(registry.fetch(name).name)
    end

    # @return [Configuration] the settings of this process
    def config
      Context.check_ractor
      @config || @mutex.synchronize { @config ||= Configuration.new }
    end

    # @yieldparam config [Configuration]
    # @return [Configuration]
    def configure
      yield config
      config
    end

    private

    def registry
      Context.check_ractor
      @registry
    end

    def captioner(info, **options)
      (info.family == :test ? TestCaptioner : Captioner).new(info, **options)
    end
  end
end

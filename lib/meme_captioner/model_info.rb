# frozen_string_literal: true

module MemeCaptioner
  # What is known about a model without touching its files. Instances are frozen.
  #
  # - name: what {MemeCaptioner.select} takes
  # - family: :florence2, :smolvlm, :moondream or :test
  # - model_id: the repository on the hub, nil for a folder
  # - revision: the application's label of the version
  # - hub_revision: the commit that is fetched, nil for a folder
  # - quantization: nil for the checkpoint's own precision, :nf4 or :int8
  # - path: the folder or the packed file of a bundled or registered model, nil for one from the hub
  # - files: what a download fetches, as [name, required, bytes or nil, sha256 or nil]
  # - resource: the page that describes the model
  # - summary: one or two sentences for people
  # - quality: what is known of its captions, a {Quality}; {MemeCaptioner.models} has the one for the settings in force
  ModelInfo = Struct.new(:name, :family, :model_id, :revision, :hub_revision, :quantization, :path, :files, :resource,
                         :summary, :quality, keyword_init: true) do
    def initialize(**facts)
      super(quality: facts[:quantization] ? Quality::UNMEASURED : Quality::FULL, **facts)
      each(&:freeze)
      freeze
    end

    # @return [Boolean] whether this version can caption with the model
    def supported?
      self.class::BUILT.fetch(family, []).include?(quantization)
    end

    # @return [Symbol] :stable, :experimental or :withheld
    def stability
      quality.stability
    end

    # @return [String] the summary, what is known of the captions of a reduced precision, and that the model is not available
    #   yet where that is so
    def description
      known = quality unless quality == Quality::FULL
      [summary, known, ("Not available in this version of meme_captioner." unless supported?)].compact.join(" ")
    end

    # @return [Boolean] whether it may be worse than the same weights in full precision
    def reduced?
      !quantization.nil? || packed?
    end

    # @return [Boolean] whether both come from the same checkpoint, in whatever precision
    def same_weights?(other)
      %i[family model_id hub_revision path].all? { |fact| self[fact] == other[fact] }
    end

    # @return [Boolean] whether it is a packed file of the application's own
    def packed?
      path.to_s.end_with?(".safetensors")
    end

    # @return [Boolean] whether the files lie on this machine instead of coming from the hub
    def local?
      !path.nil?
    end

    # @return [String]
    def inspect
      "#<MemeCaptioner::ModelInfo #{name}>"
    end
  end

  # The families and quantizations that this version can run.
  ModelInfo::BUILT = { florence2: [nil, :nf4], test: [nil] }.freeze
end

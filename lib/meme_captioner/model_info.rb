# frozen_string_literal: true

module MemeCaptioner
  # What is known about a model without touching its files. Instances are frozen.
  #
  # - name: what {MemeCaptioner.select} takes
  # - family: the name of one of {Families}; nil for a registered model, whose files tell when it is used
  # - model_id: the repository on the hub, nil for a folder
  # - revision: the application's label of the version
  # - hub_revision: the commit that is fetched, or a branch or a tag that stands for one; nil for a folder
  # - quantization: nil for the checkpoint's own precision, :nf4 or :int8
  # - path: the folder or the packed file of a bundled or registered model, nil for one from the hub
  # - files: what a download fetches, as [name, required, bytes or nil, sha256 or nil, names of files that do in its place]
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

    # @return [Boolean] whether this version can caption with the model, as far as is known without its files
    def supported?
      family.nil? || Families.fetch(family).quantizations.include?(quantization)
    end

    # @return [Boolean] whether there are weights behind it; the model `test` has none
    def weights?
      local? || !model_id.nil?
    end

    # @return [Symbol, nil] the recipe that it is packed with under the settings in force; nil where it is not packed, or where
    #   nobody knows before its files are seen
    def recipe
      Families.fetch(family).recipe(quantization, MemeCaptioner.config.recipe) if quantization && family
    end

    # @return [Symbol] :stable, :experimental or :withheld
    def stability
      quality.stability
    end

    # @return [String] the summary, and what is known of the captions of a reduced precision
    def description
      [summary, (quality unless quality == Quality::FULL)].compact.join(" ")
    end

    # @return [Boolean] whether it may be worse than the same weights in full precision
    def reduced?
      !quantization.nil? || packed?
    end

    # @return [Boolean] whether both come from the same checkpoint, in whatever precision
    def same_weights?(other)
      %i[model_id hub_revision path].all? { |fact| self[fact] == other[fact] }
    end

    # @return [Boolean] whether it is a packed file of the application's own
    def packed?
      path.to_s.end_with?(".safetensors")
    end

    # @return [Boolean] whether the files lie on this machine instead of coming from the hub
    def local?
      !path.nil?
    end

    # @return [String] what the names of its packed files begin with. A commit is in no other repository; what a branch or a tag
    #   is called, every repository has
    def packed_name
      return File.basename(model_id || path) if model_id.nil? || hub_revision.to_s.match?(/\A\h{40}\z/)

      model_id.gsub("/", "--")
    end

    # @return [String]
    def inspect
      "#<MemeCaptioner::ModelInfo #{name}>"
    end
  end
end

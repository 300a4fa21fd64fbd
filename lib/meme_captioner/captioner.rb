# frozen_string_literal: true

require "forwardable"

module MemeCaptioner
  # A model by its name, as {MemeCaptioner.select} returns it. Making one costs nothing: files are fetched and weights loaded
  # when they are needed. It may be shared between threads.
  class Captioner
    extend Forwardable

    # @return [ModelInfo]
    attr_reader :info

    # @!attribute [r] name
    #   @return [String] the name that it was selected by
    # @!attribute [r] model_id
    #   @return [String, nil] the repository on the hub, nil for a folder
    # @!attribute [r] revision
    #   @return [String, nil] the application's label of the version
    # @!attribute [r] hub_revision
    #   @return [String, nil] the commit that is fetched, nil for a folder
    # @!attribute [r] quantization
    #   @return [Symbol, nil] :nf4, :int8 or nil for the checkpoint's own precision
    def_delegators :@info, :name, :model_id, :revision, :hub_revision, :quantization

    # @api private
    def initialize(info, admission: true)
      @info = info
      @admission = admission
    end

    # What the model can be asked, the default first. Where the application registered the model without saying more, its
    # files tell, so a repository is fetched then.
    # @return [Array<String>]
    def tasks
      family.tasks
    end

    # @return [Boolean] whether the model's files are on this machine; asks no network
    def downloaded?
      Weights.available?(info)
    end

    # Fetches what is missing, checks the files, and packs them where the model is quantized. Several processes at once do
    # each of it once.
    # @yieldparam progress [Progress]
    # @return [self]
    # @raise [ModelUnavailableError, CorruptModelError, DownloadError, UnsupportedModelError]
    def download(&)
      Context.check
      Weights.download(info, &)
      self
    end

    # Loads the weights into this process, for instance before it forks; downloads them first if needed.
    # @return [self]
    def load
      model
      self
    end

    # Captions one image.
    # @param image [String, #to_path, #read, #download] a path, an IO or upload, an ActiveStorage blob, attachment, variant or
    #   preview; never a URL, and bytes only in a StringIO
    # @param task [String, nil] one of {#tasks}; the first of them where there is neither a task nor a prompt
    # @param prompt [String, nil] a question of the caller's own, for models of families that take one
    # @param image_splitting [Boolean, nil] false looks at the image as a whole only, which is much faster and sees less; for
    #   models of families that look at tiles, nil for the checkpoint's own setting
    # @param num_beams [Integer, nil] nil for the checkpoint's own setting
    # @param max_new_tokens [Integer, nil] nil for as many as the model allows
    # @return [String]
    # @raise [ImageError] if the image cannot be read or is too large
    # @raise [Errno::ENOENT] if there is no such file
    # @raise [ArgumentError, TypeError] for wrong arguments
    # @raise [ContextError] in a Ractor other than the main one, and in a signal's handler
    def extract(image, task: nil, prompt: nil, image_splitting: nil, num_beams: nil, max_new_tokens: nil)
      generation = generation(task: task, prompt: prompt, image_splitting: image_splitting, num_beams: num_beams,
                              max_new_tokens: max_new_tokens)
      caption(Input.new(image), generation)
    end

    # Captions many images. An image that fails yields its error and the batch goes on: a missing file, an argument that is no
    # image, or whatever its own methods raise, as an {UnreadableImageError} whose cause is the original error. A model that
    # cannot be loaded raises.
    #
    # Images that are captioned together take less time each, and every caption is what it is alone. Only of a list that is
    # there as a whole more than one image is taken at a time, unless batch_size says so.
    # @param images [#each]
    # @param batch_size [Integer, nil] images that are captioned together, and yielded when all of these are done; 1 yields each
    #   when it is done, nil stands for as many as suit the model
    # @param options [Hash] those of {#extract}
    # @yieldparam image [Object] as it was given
    # @yieldparam result [String, MemeCaptioner::Error]
    # @return [self, Enumerator] an Enumerator without a block
    def extract_all(images, batch_size: nil, **options, &block)
      series = Series.new(self, images, generation(**options), batch_size)
      return enum_for(:extract_all, images, batch_size: batch_size, **options) { series.size } unless block

      load
      series.each(&block)
      self
    end

    # @api private
    # @return [Integer] images that are best captioned together where there are many; loads the model
    def batch_size
      Engine.batch_size(model)
    end

    # Captions some images together.
    # @api private
    # @return [Array<String, StandardError>] each image's caption, or the error that {#extract} raises
    # @raise [StandardError] what is wrong with more than an image
    def extract_together(images, generation)
      ready = model if images.size > 1
      return images.each_slice(Batch::LARGEST).flat_map { |some| Batch.new(name, ready, some, generation).results } if ready

      images.map do |image|
        caption(Input.new(image), generation)
      rescue *Batch.image_errors => e
        e
      end
    end

    # @api private
    # @return [Family] of the model; as for {#tasks}
    def family
      Context.check
      Weights.family(info)
    end

    # @api private
    # @param options [Hash] as for {#extract}
    # @return [Generation]
    # @raise [ArgumentError, TypeError] for what the model cannot be asked
    def generation(**options)
      Generation.new(family, **options)
    end

    # @api private
    # @return [String] where the weights are: the model's folder, or its packed file
    def place
      Weights.place(info)
    end

    # The caption as {#extract} gives it, and its token ids.
    # @api private
    # @return [Array(String, Array<Integer>)]
    def transcribe(image, generation)
      ids = Engine.ids(model, Input.new(image), generation)
      [Engine.text(model, ids), ids]
    end

    # Teacher forcing: what the model thinks of each token of a caption, of this model or another with the same vocabulary.
    # @api private
    # @return [Array<Array(Integer, Float, Integer)>] token, its log-probability after those before it, the likeliest token
    def score(image, generation, ids)
      Engine.score(model, Input.new(image), generation, ids)
    end

    # @return [String]
    def inspect
      "#<#{self.class} #{name}>"
    end

    private

    def caption(input, generation)
      ready = model
      Events.report("extract", { model: name, **generation.question }) do |payload|
        text, facts = Engine.caption(ready, input, generation)
        payload.update(facts)
        text
      end
    end

    # The library keeps the weights, not this object: so they can be unloaded, and are loaded once for all of its kind.
    def model
      Context.check
      Weights.model(info) { |place| Admission.check(info, place) if @admission }
    end
  end
end

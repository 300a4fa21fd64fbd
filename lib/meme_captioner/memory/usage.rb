# frozen_string_literal: true

module MemeCaptioner
  class Memory
    # What Linux says about the memory of this process.
    # @api private
    module Usage
      MIB = 1024.0 * 1024

      class << self
        # @raise [PermanentError] where there is no /proc
        def require_proc
          return if File.readable?("/proc/self/smaps")

          raise PermanentError, "memory is measured through /proc/self/smaps, which this system does not have"
        end

        # @return [Float] resident memory now
        def rss
          status("VmRSS")
        end

        # @return [Float] the most resident memory so far
        def peak
          status("VmHWM")
        end

        # @return [Float] this process's share of the pages that it maps from these files: a page that n processes have mapped
        #   counts for 1/n
        def file_share(files)
          mapping = nil
          kib = File.foreach("/proc/self/smaps").sum do |line|
            mapping = line.chomp.split(" ", 6)[5] if line.match?(/\A\h+-\h+ /)
            files.include?(mapping) ? line[/\APss: +(\d+)/, 1].to_i : 0
          end
          mib(kib * 1024)
        end

        # @return [Float] this process's share of everything
        def share
          mib(File.foreach("/proc/self/smaps").sum { |line| line[/\APss: +(\d+)/, 1].to_i } * 1024)
        end

        # @param place [String] a packed file, or the folder of a checkpoint
        # @return [Array<String>] the files with the weights, as the list of mappings names them
        def weight_files(place)
          files = File.directory?(place) ? Dir[File.join(place, "*.safetensors")] : [place]
          files.map { |file| File.realpath(file) }
        end

        # @return [Float]
        def mib(bytes)
          (bytes / MIB).round(2)
        end

        private

        def status(field)
          mib(File.read("/proc/self/status")[/^#{field}:\s+(\d+) kB/, 1].to_i * 1024)
        end
      end
    end
  end
end

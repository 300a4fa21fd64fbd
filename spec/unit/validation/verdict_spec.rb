# frozen_string_literal: true

RSpec.describe MemeCaptioner::Validation::Verdict do
  def verdict(identical, compared: 1000, **more)
    described_class.new(compared: compared, identical: identical, **more)
  end

  def judged(useful, **more)
    verdict(1000, judged: 1000, useful: useful, **more)
  end

  { 1000 => :stable, 950 => :stable, 949 => :experimental, 850 => :experimental, 849 => :experimental, 700 => :experimental,
    699 => :withheld, 0 => :withheld }.each do |identical, stability|
    it "is #{stability} for #{identical / 10.0} % identical captions" do
      expect(verdict(identical)).to have_attributes(stability: stability, decided_by: :identical)
    end
  end

  { 1000 => :stable, 950 => :stable, 949 => :experimental, 850 => :experimental, 849 => :withheld, 700 => :withheld }
    .each do |useful, stability|
    it "is #{stability} for #{useful / 10.0} % useful captions" do
      expect(judged(useful)).to have_attributes(stability: stability, decided_by: :judgements)
    end
  end

  it "goes by judgements even where few captions are identical" do
    expect(verdict(100, judged: 1000, useful: 960).stability).to be :stable
  end

  it "waits until all captions are judged" do
    expect(verdict(960, judged: 999, useful: 0)).to have_attributes(stability: :stable, decided_by: :identical,
                                                                    reasons: include(/judged 999 of 1000/))
  end

  it "withholds for a single gibberish caption, whatever else was found" do
    expect(verdict(1000, gibberish: 1)).to have_attributes(stability: :withheld, decided_by: :gibberish)
    expect(judged(1000, gibberish: 1)).to have_attributes(stability: :withheld, reasons: include(/Gibberish in 1 of 1000/))
  end

  it "gives its reasons with the interval" do
    expect(verdict(19, compared: 24).reasons).to eq [
      "19 of 24 captions are identical to full precision's: 79.2 % (95 % interval 59.5 to 90.8); 95 % is stable, " \
      "70 % experimental, less is not shipped.",
      "No person has judged them: only identity was decided, not usefulness."
    ]
    expect(judged(860).reasons)
      .to match [/860 of 1000 captions were judged useful: 86.0 %.*85 % experimental/, /usefulness decides/]
    expect(verdict(10).to_s).to eq "do not ship"
  end
end

import { SoundTimeline } from '../../../services/gateway/soundTimeline.js';

const model = { hop: 480, decoderDelaySamples: 360 };

describe('SoundTimeline', () => {
  test('what comes out is sound without end until the flush says where it ended', () => {
    const timeline = new SoundTimeline(model);
    timeline.addSamples(700);
    expect(timeline.comingOut).toMatchObject({ firstSampleIndex: 0, endSampleIndex: Infinity });
    timeline.addSamples(300);
    timeline.endStretch();
    expect(timeline.comingOut).toMatchObject({ firstSampleIndex: 0, endSampleIndex: 1000 });
    expect(timeline.endSampleIndex).toBe(1000);
  });

  test.each(['before', 'after'])('a stretch that begins %s the one before has come out', (when) => {
    const timeline = new SoundTimeline(model);
    timeline.addSamples(1000);
    timeline.endStretch();
    if (when === 'after') timeline.finishStretch();
    timeline.addSamples(100);
    if (when === 'before') {
      expect(timeline.comingOut).toMatchObject({ firstSampleIndex: 0, endSampleIndex: 1000 });
      timeline.finishStretch();
    }
    // 1,000 + 360 samples take three frames.
    expect(timeline.comingOut).toMatchObject({ firstSampleIndex: 1440, endSampleIndex: Infinity });
    expect(timeline.endSampleIndex).toBe(1540);
  });

  test('flushes of nothing change nothing', () => {
    const timeline = new SoundTimeline(model);
    for (let turn = 0; turn < 3; turn += 1) {
      timeline.endStretch();
      timeline.finishStretch();
    }
    timeline.addSamples(480);
    expect(timeline.comingOut).toMatchObject({ firstSampleIndex: 0 });
    timeline.endStretch();
    timeline.endStretch();
    expect(timeline.endSampleIndex).toBe(480);
    timeline.finishStretch();
    timeline.finishStretch();
    timeline.addSamples(1);
    // 480 + 360 samples take two frames.
    expect(timeline.comingOut).toMatchObject({ firstSampleIndex: 960 });
  });
});

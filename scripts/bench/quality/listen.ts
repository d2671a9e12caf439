import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeAudio } from '../../../codec/index.js';
import { spectrogramPng } from './spectrogram.js';

/** A recording as it was, and as codecs made it. */
export interface ListeningItem {
  readonly name: string;
  readonly versions: readonly ListeningVersion[];
}

/** One sound of an item. */
export interface ListeningVersion {
  readonly name: string;
  /** Bitrate and scores. */
  readonly note: string;
  readonly samples: Float32Array;
}

/**
 * A page that holds everything it needs, sounds as FLAC: for each recording players that switch between its versions at the same
 * place, and their spectrograms below each other. `samples` are mono at `sampleRate`.
 */
export async function listeningPage(items: readonly ListeningItem[], sampleRate: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-listen-'));
  try {
    const sections: string[] = [];
    for (const { name, versions } of items) {
      const rows: string[] = [];
      for (const version of versions) {
        const path = join(folder, 'clip.flac');
        await writeAudio(path, version.samples, { sampleRate });
        rows.push(versionRow(version, await readFile(path), spectrogramPng(version.samples, sampleRate)));
      }
      sections.push(`<section>\n<h2>${escapeHtml(name)}</h2>\n${rows.join('\n')}\n</section>`);
    }
    return `${HEAD}\n${sections.join('\n')}\n${SCRIPT}\n</html>\n`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function versionRow({ name, note }: ListeningVersion, clip: Uint8Array, picture: Uint8Array): string {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return `<div class="version">
<button aria-pressed="false">${escapeHtml(name)}<small>${escapeHtml(note)}</small></button>
<div class="picture"><img alt="Spectrogram: ${escapeHtml(name)}" src="data:image/png;base64,${base64(picture)}"><i></i></div>
<audio preload="auto" src="data:audio/flac;base64,${base64(clip)}"></audio>
</div>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

const HEAD = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tessera beside other codecs</title>
<style>
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { max-width: 64rem; margin: 1rem auto; padding: 0 1rem; }
.version { display: grid; grid-template-columns: 15rem 1fr; gap: .5rem; margin-block: .25rem; }
button { text-align: start; font: inherit; padding: .4rem .6rem; border: 1px solid #8888; border-radius: .4rem; cursor: pointer; }
button[aria-pressed='true'] { background: #1f618d; color: white; }
small { display: block; opacity: .75; }
.picture { position: relative; cursor: pointer; }
img { display: block; width: 100%; height: 6rem; image-rendering: auto; }
i { position: absolute; inset-block: 0; inset-inline-start: 0; border-inline-start: 2px solid #c0392b; }
@media (max-width: 40rem) { .version { grid-template-columns: 1fr; } }
</style>
<h1>Tessera beside other codecs</h1>
<p>Press a version to hear it; press another while it plays to switch at the same place; press it again to stop. Press a spectrogram to go to a
place. Frequency is linear, up to half of the sample rate.</p>`;

const SCRIPT = `<script>
for (const section of document.querySelectorAll('section')) {
  const versions = [...section.querySelectorAll('.version')].map((row) => ({
    button: row.querySelector('button'), picture: row.querySelector('.picture'),
    line: row.querySelector('i'), audio: row.querySelector('audio'),
  }));
  let place = 0;
  let playing;
  const stop = () => {
    if (playing) place = playing.audio.ended ? 0 : playing.audio.currentTime;
    playing?.audio.pause();
    playing?.button.setAttribute('aria-pressed', 'false');
    playing = undefined;
  };
  const play = (version) => {
    document.dispatchEvent(new CustomEvent('stop-all'));
    playing = version;
    version.audio.currentTime = place;
    version.button.setAttribute('aria-pressed', 'true');
    version.audio.play();
  };
  document.addEventListener('stop-all', stop);
  for (const version of versions) {
    version.button.onclick = () => (playing === version ? stop() : play(version));
    version.audio.onended = stop;
    version.picture.onclick = (event) => {
      stop();
      place = (event.offsetX / version.picture.clientWidth) * version.audio.duration;
      play(version);
    };
  }
  const draw = () => {
    const seconds = playing ? playing.audio.currentTime : place;
    for (const { line, audio } of versions) line.style.insetInlineStart = (100 * seconds) / (audio.duration || 1) + '%';
    requestAnimationFrame(draw);
  };
  draw();
}
</script>`;

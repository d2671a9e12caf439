import { CallPanel } from './callPanel.js';
import { ListeningPanel, showAlert } from './listeningPanel.js';
import { enableWaiting, write } from './elements.js';
import { setUpTheme } from './theme.js';
import { wordsOf } from './words.js';

let panel: ListeningPanel | undefined;
let call: CallPanel | undefined;
setUpTheme(() => panel?.recolour());
try {
  panel = await ListeningPanel.connect((quantizers) => call?.onQuantizers(quantizers));
  const made = panel;
  call = new CallPanel(() => made.quantizers);
  enableWaiting();
} catch (error) {
  write('status', 'Not connected.');
  showAlert(`${wordsOf(error)} Then reload this page.`);
}

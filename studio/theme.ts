import { element } from './elements.js';

const STORAGE_KEY = 'tessera-theme';
type Theme = 'dark' | 'light';

/**
 * The toggle between dark and light. Until it is used, the system decides; then the choice is kept. `onChange` is called
 * when the colours have changed.
 */
export function setUpTheme(onChange: () => void): void {
  const toggle = element('theme', HTMLButtonElement);
  const system = matchMedia('(prefers-color-scheme: dark)');
  const current = (): Theme => {
    const chosen = document.documentElement.dataset['theme'];
    return chosen === 'dark' || chosen === 'light' ? chosen : system.matches ? 'dark' : 'light';
  };
  const show = (): void => {
    toggle.setAttribute('aria-pressed', String(current() === 'dark'));
    onChange();
  };
  const kept = readChoice();
  if (kept) document.documentElement.dataset['theme'] = kept;
  toggle.addEventListener('click', () => {
    const next: Theme = current() === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = next;
    keepChoice(next);
    show();
  });
  system.addEventListener('change', show);
  toggle.disabled = false;
  show();
}

function readChoice(): Theme | undefined {
  try {
    const kept = localStorage.getItem(STORAGE_KEY);
    return kept === 'dark' || kept === 'light' ? kept : undefined;
  } catch {
    // Storage may be forbidden to the page.
    return undefined;
  }
}

function keepChoice(theme: Theme): void {
  try {
    localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // The choice then lasts as long as the page.
  }
}

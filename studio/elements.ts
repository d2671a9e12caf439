/** The element of the page with this id. @throws TypeError where it is missing or of another kind: the page is broken. */
export function element<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`The page has no ${kind.name} with id ${id}`);
}

/** From now on the controls that wait for the script (`data-waits`) do something. */
export function enableWaiting(): void {
  for (const control of document.querySelectorAll<HTMLButtonElement | HTMLInputElement>('[data-waits]')) {
    control.disabled = false;
  }
}

/** Writes text into the element with this id, where it is another than before. */
export function write(id: string, text: string): void {
  const target = element(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

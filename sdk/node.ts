import { WebSocket } from 'ws';
import * as client from './index.js';

/** {@link client.connect} of the browser's module, with the WebSocket of `ws` where none is given. */
export function connect(
  url: string | { readonly href: string },
  options: client.ConnectOptions = {},
): Promise<client.Session> {
  return client.connect(url, { WebSocket: WebSocket as unknown as client.WebSocketConstructor, ...options });
}

export * from './index.js';

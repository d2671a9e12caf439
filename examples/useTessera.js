// A React hook: `const { state, stats, error, start, stop } = useTessera(url, options)`.
import { useCallback, useEffect, useRef, useState } from 'react';
import { connect } from 'tessera/client';

/** Sends the microphone and plays what comes back, from `start()` to `stop()` or until the component goes. */
export function useTessera(url, options) {
  const session = useRef();
  const [state, setState] = useState('closed');
  const [stats, setStats] = useState();
  const [error, setError] = useState();

  const stop = useCallback(async () => {
    await session.current?.close();
    session.current = undefined;
  }, []);

  const start = useCallback(async () => {
    await stop();
    setError(undefined);
    try {
      const opened = await connect(url, options);
      session.current = opened;
      setState(opened.state);
      opened.on('state', setState);
      opened.on('stats', setStats);
      opened.on('error', setError);
      await opened.play();
      await opened.sendMicrophone();
    } catch (failure) {
      setError(failure);
      await stop();
    }
  }, [url, options, stop]);

  useEffect(() => () => void stop(), [stop]);
  return { state, stats, error, start, stop };
}

// For whoever watches: is the process there (healthz), can it really accept (readyz), and how does it do (metrics).

import { Hono } from 'hono';

export interface HealthParts {
  /** Resolves when a look-up and a write have gone through; rejects with the reason when not. */
  readonly ready: () => Promise<void>;
  /** Prometheus text format. */
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
}

/** Longer than this is not ready. */
const READY_MS = 2000;

export function healthApp(parts: HealthParts): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/readyz', async (context) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${READY_MS} ms`)), READY_MS);
    });
    try {
      await Promise.race([parts.ready(), late]);
      return context.text('ready\n');
    } catch (error) {
      return context.text(`not ready: ${error instanceof Error ? error.message : String(error)}\n`, 503);
    } finally {
      clearTimeout(timer);
    }
  });
  app.get('/metrics', async (context) => {
    const { type, text } = await parts.metrics();
    return context.body(text, 200, { 'Content-Type': type });
  });
  return app;
}

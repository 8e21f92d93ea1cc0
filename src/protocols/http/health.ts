// For monitoring: does the process run (healthz), can it accept mail (readyz), and its metrics. Who may ask: apps.ts
//
// Limits  one look and one gathering at a time, however many ask: a connection may ask a thousand times in one write

import { Hono } from 'hono';

export interface HealthParts {
  /** Resolves when a look-up and a write have gone through; rejects with the reason when not. */
  readonly ready: () => Promise<void>;
  /** Prometheus text format. */
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
}

export const METRICS_PATH = '/metrics';

/** Longer than this is not ready. */
const READY_MS = 2000;

export function healthApp(parts: HealthParts): Hono {
  const app = new Hono();
  const ready = together(parts.ready);
  const metrics = together(parts.metrics);
  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/readyz', async (context) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${READY_MS} ms`)), READY_MS);
    });
    try {
      await Promise.race([ready(), late]);
      return context.text('ready\n');
    } catch (error) {
      return context.text(`not ready: ${error instanceof Error ? error.message : String(error)}\n`, 503);
    } finally {
      clearTimeout(timer);
    }
  });
  app.get(METRICS_PATH, async (context) => {
    const { type, text } = await metrics();
    return context.body(text, 200, { 'Content-Type': type });
  });
  return app;
}

/** Requests during a look-up share its answer. */
function together<T>(ask: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined;
  return () => {
    current ??= ask().finally(() => {
      current = undefined;
    });
    return current;
  };
}

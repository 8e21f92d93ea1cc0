// A body that is compressed is refused, not read as it stands: a message would be kept as the octets of its compression.
//
// In      a request of somebody who may ask
// Out     415 with the codings that are read: none
// RFC 9110 §8.4 §15.5.16

import type { MiddlewareHandler } from 'hono';
import { refusal } from './errors.ts';

export const uncoded: MiddlewareHandler = (context, next) => {
  const coding = context.req.header('Content-Encoding')?.trim().toLowerCase() ?? '';
  if (coding === '' || coding === 'identity') return next();
  context.header('Accept-Encoding', 'identity');
  return Promise.resolve(refusal(context, 'unsupported', 'a body with Content-Encoding is not read here', 415));
};

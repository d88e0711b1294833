/** Where a request came from, as the HTTP server saw it. */
export type { RequestOrigin } from '../policy/request-facts.ts';

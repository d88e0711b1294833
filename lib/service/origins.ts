/** What doors tell of where a request came from. */
export type { RequestOrigin } from '../policy/request-facts.ts';

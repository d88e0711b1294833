/** What doors tell of where a request came from, and what they read it with. */
export { type Network, networkOf, plainAddress } from '../policy/ip-address.ts';
export type { RequestOrigin } from '../policy/request-facts.ts';

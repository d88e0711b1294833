import type { Pairmint } from '../service/pairmint.ts';

/** What the HTTP server needs of class Pairmint. */
export type Service = Actor & Pick<Pairmint, 'as' | 'checkStore' | 'credentials' | 'inRegion'>;

/** The service acting for someone. */
export type Actor = Pick<Pairmint, 'call' | 'principal'>;

/** The paths of a store and its root key file, for commands that check them before opening. */
export { type Places, placesOf, storeStateAt } from '../store/places.ts';
export { isPostgresUrl } from '../store/store-url.ts';

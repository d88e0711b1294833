/** Where a store and its root key file are, for commands that look at the files before they open. */
export { type Places, placesOf } from '../store/places.ts';

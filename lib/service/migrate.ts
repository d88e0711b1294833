import { ConfigurationError } from '../core/configuration-error.ts';
import { placesOf } from '../store/places.ts';
import { isPostgresUrl } from '../store/store-url.ts';

/** The versions that the tables of a store had before and have now. */
export interface Migrated {
  readonly url: string;
  /** 0 if there were none. */
  readonly from: number;
  readonly to: number;
}

/**
 * Makes the tables of a store on PostgreSQL, or brings them up to date, as the role in the URL.
 *
 * @throws ConfigurationError if that is not possible, or the store is of another kind
 */
export async function migrateStore(options: { store?: string | undefined }): Promise<Migrated> {
  const { store, given } = placesOf(options);
  if (!isPostgresUrl(given)) {
    throw new ConfigurationError(`the store ${store} needs no migration`, {
      hint: 'only stores on PostgreSQL do; others are brought up to date when they are opened',
    });
  }
  const { migratePostgres } = await import('../store/postgres/postgres-store.ts');
  return migratePostgres(given);
}

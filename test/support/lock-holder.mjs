// A process that takes a store's lock on writing and stops. Argument: the store's file.
import { writeSync } from 'node:fs';
import { loadEngine } from '../../dist/store/sqlite/engine.js';

const { DatabaseSync } = loadEngine();
const database = new DatabaseSync(process.argv[2]);
database.exec('begin immediate');
writeSync(1, 'LOCKED\n');
process.kill(process.pid, 'SIGSTOP');
// Goes on here when it is woken.
database.exec('rollback');
database.close();
writeSync(1, 'RELEASED\n');

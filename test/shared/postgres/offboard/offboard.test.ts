import { startPrepared } from '../../../support/postgres.ts';
import { proveOffboarding } from './complete.ts';

proveOffboarding(18, () => startPrepared());

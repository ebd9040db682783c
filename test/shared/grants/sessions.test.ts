import { startPrepared } from '../../support/postgres.ts';
import { proveActing } from './acting.ts';

proveActing(18, startPrepared);

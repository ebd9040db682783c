import { hour, type Micros } from '../clock.ts';
import { Timestamp, toIso } from '../grpc/time.ts';

/**
 * A moment as in the attributes of a notification: always with microseconds, and with California's offset.
 * The one of its winter is used all year.
 */
export function toPacificTime(micros: Micros): string {
  const { seconds, nanos } = new Timestamp(micros - 8 * hour);
  return `${toIso(seconds)}.${String(nanos / 1000).padStart(6, '0')}-08:00`;
}

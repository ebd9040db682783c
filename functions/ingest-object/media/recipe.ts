import { canonicalJson, hash } from '../../../shared/operation/canonical.ts';
import type { MediaRoute } from '../../../shared/routes.ts';

/** To be raised where the same settings make other previews, or tell other facts, than before. */
const version = 1;

/**
 * A short hash of what decides on an image's previews and facts: a row that has another one is made anew when its object's event
 * comes again.
 */
export function recipeOf({ previews, gps, cacheControl }: MediaRoute): string {
  return hash(canonicalJson({ version, previews, gps, cacheControl })).slice(0, 16);
}

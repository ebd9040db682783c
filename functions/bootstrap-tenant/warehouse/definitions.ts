import type { TableDefinition } from '../../../shared/bigquery/model.ts';
import events from './events.json' with { type: 'json' };
import fleetMetrics from './fleet_metrics.json' with { type: 'json' };
import operationChanges from './operation_changes.json' with { type: 'json' };
import operationEvents from './operation_events.json' with { type: 'json' };
import operations from './operations.json' with { type: 'json' };
import tenantUsage from './tenant_usage.json' with { type: 'json' };

/** The platform's tables. */
export const tables: readonly TableDefinition[] = [operationEvents, fleetMetrics];

/** A view's query by its lines, where `${project}` and `${dataset}` stand for what it is made in. */
interface ViewFile {
  readonly id: string;
  readonly description: string;
  readonly query: readonly string[];
}

/** Each behind those that it reads. */
const viewFiles: readonly ViewFile[] = [events, operations, operationChanges, tenantUsage];

/** The platform's views, in an order in which they can be made. */
export function viewsOf(project: string, dataset: string): TableDefinition[] {
  const names: Readonly<Record<string, string>> = { project, dataset };
  return viewFiles.map(({ id, description, query }) => ({
    id,
    description,
    view: {
      query: query.join('\n').replaceAll(/\$\{(project|dataset)\}/g, (_, name: string) => names[name] ?? ''),
      useLegacySql: false,
    },
  }));
}

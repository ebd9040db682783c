import type { JsonObject } from '../http/json.ts';
import { defaultAccess } from './access.ts';
import type { Call, Handler } from './call.ts';
import { readDatasetSettings } from './dataset-settings.ts';
import { duplicate, invalid, resourceInUse } from './errors.ts';
import { objectOf, requiredText, textOf } from './fields.ts';
import { labelFilter } from './labels.ts';
import { defaultLocation, normalLocation } from './location.ts';
import { mergePatch } from './merge-patch.ts';
import { page } from './pages.ts';
import { type Dataset, requireMatch, type Store } from './store.ts';

/**
 * @param creator who owns datasets besides the project's owners
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets
 */
export function datasetCalls(store: Store, creator: string): Record<string, Handler> {
  const { project } = store;
  const idOf = ({ id }: Dataset) => `${project}:${id}`;
  const find = ({ path }: Call) => store.dataset(path['dataset'] ?? '');

  const describe = (dataset: Dataset) => ({
    kind: 'bigquery#dataset',
    etag: dataset.etag,
    id: idOf(dataset),
    selfLink: `/bigquery/v2/projects/${project}/datasets/${dataset.id}`,
    datasetReference: { projectId: project, datasetId: dataset.id },
    ...dataset.settings,
    creationTime: String(dataset.created),
    lastModifiedTime: String(dataset.modified),
    location: dataset.location,
    type: 'DEFAULT',
  });

  const replace = (call: Call, dataset: Dataset, body: JsonObject) => {
    requireMatch(call.ifMatch, dataset);
    const settings = readDatasetSettings(body);
    requireSameLocation(call.body, dataset);
    Object.assign(dataset, { settings, ...store.change() });
    return describe(dataset);
  };

  return {
    'datasets.insert'({ body }) {
      const id = readId(project, objectOf(body, 'datasetReference') ?? {});
      const settings = readDatasetSettings(body);
      if (store.datasets.has(id)) throw duplicate(`Dataset ${project}:${id}`);
      const dataset: Dataset = {
        id,
        location: normalLocation(textOf(body, 'location') || defaultLocation),
        created: store.now(),
        tables: new Map(),
        settings: { ...settings, access: settings.access ?? defaultAccess(creator) },
        ...store.change(),
      };
      store.datasets.set(id, dataset);
      return describe(dataset);
    },

    'datasets.get': (call) => describe(find(call)),

    'datasets.patch'(call) {
      const dataset = find(call);
      return replace(call, dataset, mergePatch({ ...dataset.settings }, call.body));
    },

    'datasets.update'(call) {
      const dataset = find(call);
      return replace(call, dataset, { access: dataset.settings.access, ...call.body });
    },

    'datasets.delete'(call) {
      const dataset = find(call);
      requireMatch(call.ifMatch, dataset);
      if (call.query['deleteContents'] !== 'true' && store.tablesOf(dataset).size > 0) {
        throw resourceInUse(`Dataset ${idOf(dataset)}`);
      }
      store.datasets.delete(dataset.id);
    },

    'datasets.list'(call) {
      const matches = labelFilter(call.query['filter']);
      const isShown = ({ id }: Dataset) => call.query['all'] === 'true' || !id.startsWith('_');
      const all = [...store.datasets.values()].filter((one) => isShown(one) && matches(one.settings.labels));
      const { items, nextPageToken } = page(all, ({ id }) => id, call);
      const datasets = items.map((dataset) => {
        const { kind, id, datasetReference, labels, friendlyName, location, type } = describe(dataset);
        return { kind, id, datasetReference, labels, friendlyName, location, type };
      });
      return {
        kind: 'bigquery#datasetList',
        ...(datasets.length > 0 && { datasets }),
        nextPageToken,
      };
    },
  };
}

function readId(project: string, reference: JsonObject): string {
  const id = requiredText(reference, 'datasetId');
  if (!/^\w{1,1024}$/.test(id)) {
    throw invalid(
      `Invalid dataset ID "${id}". Dataset IDs must be alphanumeric (plus underscores) and must be at most 1024 characters long.`,
    );
  }
  requireProject(project, reference);
  return id;
}

function requireProject(project: string, reference: JsonObject): void {
  const given = textOf(reference, 'projectId');
  if (given !== undefined && given !== project) throw invalid(`Invalid project: ${given}`);
}

function requireSameLocation(body: JsonObject, { id, location }: Dataset): void {
  const given = textOf(body, 'location');
  if (given !== undefined && normalLocation(given) !== location) {
    throw invalid(`Cannot change the location of dataset ${id} from ${location} to ${given}`);
  }
}

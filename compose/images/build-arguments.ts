/** How an image is built: what is asked of docker. */

export type Recipe = {
  /** Folder of the process. */
  workspace: string
  /** `banyan/monolith:abc1234`, as many as it is to have. */
  names: readonly string[]
  revision: string
  version: string
  /** The network of the build, where the default one does not reach the registry of packages. */
  network?: string | undefined
  /** Files that are mounted while npm installs. */
  secrets: readonly [id: string, file: string][]
  /** Where it goes, as `ghcr.io/somebody`; without, it stays in the engine. */
  registry?: string | undefined
  context: string
}

/** Whoever pushes has a builder that can do both, as docker/setup-buildx-action makes one. */
const PLATFORMS = 'linux/amd64,linux/arm64'

/**
 * An image that goes to a registry takes along, as attestations of BuildKit, the list of what is in it and how it was
 * made. An engine's own store keeps none, so one that stays has none.
 * @throws for a registry that is an address: docker would take `https:` for the name of an image
 */
export function buildArguments(recipe: Recipe): string[] {
  const { workspace, names, revision, version, network, secrets, registry, context } = recipe
  if (registry?.includes('://')) throw new Error(`a registry is called like ghcr.io/somebody, not ${registry}`)
  const settings = { WORKSPACE: workspace, REVISION: revision, VERSION: version }
  return [
    ...(registry
      ? ['buildx', 'build', '--push', '--platform', PLATFORMS, '--sbom=true', '--provenance=mode=max']
      : ['build']),
    ...(network ? ['--network', network] : []),
    ...Object.entries(settings).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...secrets.flatMap(([id, src]) => ['--secret', `id=${id},src=${src}`]),
    ...names.flatMap((name) => ['--tag', registry ? `${registry}/${name}` : name]),
    context,
  ]
}

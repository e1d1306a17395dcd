"""The runs of a sweep on a Ray cluster."""

from keras_moduli.experiments.sweeps.processes import launch


class Cluster:
    """Starts runs as tasks of a Ray cluster and watches them.

    Every run takes one core of one machine. All machines need keras_moduli
    and see the sweep's folder under the same path.

    Args:
        address: Of the cluster, such as `"10.0.0.1:6379"` or `"auto"`.

    Raises:
        ValueError: If Ray is not installed, or there is no cluster.
    """

    def __init__(self, address):
        try:
            import ray
        except ImportError as error:
            raise ValueError(
                "`ray` needs the package ray: pip install "
                f"'keras-moduli[ray]'. Received: ray={address!r}"
            ) from error
        try:
            ray.init(address=address, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ValueError(
                "`ray` must be the address of a running Ray cluster (`ray "
                f"start --head`). Received: ray={address!r}"
            ) from error
        self._ray = ray
        self.jobs = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._train = ray.remote(num_cpus=1, max_retries=0)(_train)

    def start(self, folder, deadline=None):
        """Starts the run of a folder; returns what the others need."""
        return self._train.remote(str(folder), deadline)

    def ended(self, task):
        """Whether a run is over, well or badly."""
        return bool(self._ray.wait([task], timeout=0)[0])

    def stop(self, task):
        """Breaks a run off."""
        self._ray.cancel(task, force=True)


def _train(folder, deadline):
    """Waits for a run on the machine that Ray has chosen for it."""
    return launch(folder, deadline).wait()

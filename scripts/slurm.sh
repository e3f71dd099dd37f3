# Sourced by test.sh, after venv.sh.

# install_slurm: what the tests on a cluster need, from Debian. They start daemons of their own in temporary directories;
# those that the packages may start for the machine are not needed, and do no harm.
install_slurm() {
    lacking=
    while read -r program package; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || lacking="$lacking $package"
    done <<END
munged munge
slurmctld slurmctld
slurmd slurmd
sbatch slurm-client
slurmdbd slurmdbd slurm-wlm-mysql-plugin
mariadbd mariadb-server
glusterfsd glusterfs-server
glusterfs glusterfs-client
END
    if [ -z "$lacking" ]; then
        return 0
    fi
    if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null && ! sudo -n true 2>/dev/null; then
        echo "Not installed:$lacking; sudo would ask for a password." >&2
        return 1
    fi
    # shellcheck disable=SC2086 # the names are several words
    apt $lacking
}

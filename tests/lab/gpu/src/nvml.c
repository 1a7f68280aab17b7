/* Copyright (c) 2026 rackforge contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for libnvidia-ml.so.1, for test nodes. It answers for the simulated machine that
 * machine.h reads. Names, codes and layouts are those of NVIDIA's public NVML interface.
 */
#include "machine.h"

#ifndef LIBRARY_VERSION
#error "say which driver this library belongs to: -DLIBRARY_VERSION=\"580.95.05\""
#endif
#ifndef CUDA_VERSION
#define CUDA_VERSION 13000
#endif

#define SHOWN __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    RESET_REQUIRED = 16,
    VERSION_MISMATCH = 18,
    ARGUMENT_VERSION_MISMATCH = 25,
    UNKNOWN = 999
};

typedef int Return;
typedef struct device {
    int gpu; /* the number in machine.h's file, which is the device file's too */
    int part; /* -1 for a whole GPU, else the number of its MIG device */
} *Device;

typedef struct {
    char busIdLegacy[16];
    unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} PciInfo;
typedef struct {
    char busId[16];
    unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
    unsigned int reserved[4];
} PciInfoV1;
typedef struct {
    unsigned int version, domain, bus, device, pciDeviceId, pciSubSystemId, baseClass, subClass;
    char busId[32];
} PciInfoExt;
typedef struct {
    unsigned long long total, free, used;
} Memory;
typedef struct {
    unsigned int version;
    unsigned long long total, reserved, free, used;
} MemoryV2;
typedef struct {
    unsigned int gpu, memory;
} Utilization;
typedef struct {
    unsigned long long l1Cache, l2Cache, deviceMemory, registerFile;
} EccCounts;
typedef struct {
    unsigned int multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount,
        sharedJpegCount, sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount;
    unsigned long long memorySizeMB;
} Attributes;
typedef struct {
    unsigned int max, high, partial, low, none;
} RemapHistogram;
typedef struct {
    unsigned int fieldId, scopeId;
    long long timestamp, latencyUsec;
    unsigned int valueType;
    Return nvmlReturn;
    union {
        double dVal;
        unsigned int uiVal;
        unsigned long long ullVal;
    } value;
} FieldValue;

static int users;
static struct device whole[MAX_GPUS];
static struct device parts[MAX_GPUS][8];

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

SHOWN const char *nvmlErrorString(Return code)
{
    static const char *const texts[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions",
        "Already Initialized", "Not Found", "Insufficient Size", "Insufficient External Power",
        "Driver Not Loaded", "Timeout", "Interrupt Request Issue", "NVML Shared Library Not Found",
        "Function Not Found", "Corrupted infoROM", "GPU is lost", "GPU requires reset",
        "GPU access blocked by the operating system", "Driver/library version mismatch",
        "In use by another client", "Insufficient Memory", "No data",
        "vGPU operation not supported with ECC enabled", "Insufficient Resources",
        "Frequency Not Supported", "Argument Version Mismatch", "Deprecated", "Not Ready",
        "GPU Not Found", "Invalid State"};
    if (code >= 0 && code < (Return)(sizeof texts / sizeof *texts))
        return texts[code];
    return code == UNKNOWN ? "Unknown Error" : "Unrecognized error code";
}

/* May this process use the device file? Told from its mode, as no driver stands behind the file. */
static int may_use(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return 0;
    if (geteuid() == 0)
        return 1;
    if (found.st_uid == geteuid())
        return (found.st_mode & 0600) == 0600;
    int is_member = found.st_gid == getegid();
    gid_t groups[256];
    int count = getgroups(256, groups);
    for (int each = 0; each < count; each++)
        is_member |= groups[each] == found.st_gid;
    return is_member ? (found.st_mode & 0060) == 0060 : (found.st_mode & 0006) == 0006;
}

static Return init_error(void)
{
    char value[64];
    struct stat found;
    if (!machine_read() || stat("/dev/nvidiactl", &found) != 0)
        return DRIVER_NOT_LOADED;
    if (machine_value("nvml.delay_seconds", value, sizeof value))
        usleep((useconds_t)(atof(value) * 1e6));
    if (machine_value("nvml.fault", value, sizeof value)) {
        if (strcmp(value, "hang") == 0)
            sleep_for_ever();
        if (isdigit((unsigned char)value[0]))
            return atoi(value);
    }
    if (!may_use("/dev/nvidiactl"))
        return NO_PERMISSION;
    if (machine_value("loaded", value, sizeof value) && strcmp(value, LIBRARY_VERSION) != 0)
        return VERSION_MISMATCH;
    return SUCCESS;
}

SHOWN Return nvmlInit_v2(void)
{
    Return code = init_error();
    if (code == SUCCESS)
        users++;
    return code;
}
SHOWN Return nvmlInit(void) { return nvmlInit_v2(); }
SHOWN Return nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    return nvmlInit_v2();
}
SHOWN Return nvmlShutdown(void)
{
    if (users == 0)
        return UNINITIALIZED;
    users--;
    return SUCCESS;
}

static Return text_out(const char *text, char *buffer, unsigned int size)
{
    if (!buffer)
        return INVALID_ARGUMENT;
    if (strlen(text) + 1 > size)
        return INSUFFICIENT_SIZE;
    strcpy(buffer, text);
    return SUCCESS;
}

static Return ready(void)
{
    if (users == 0)
        return UNINITIALIZED;
    return machine_read() ? SUCCESS : DRIVER_NOT_LOADED;
}

/* ---- the system ---- */

SHOWN Return nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    char value[80] = LIBRARY_VERSION;
    if (users == 0)
        return UNINITIALIZED;
    machine_read();
    machine_value("loaded", value, sizeof value);
    return text_out(value, version, length);
}
SHOWN Return nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    return text_out(CUDA_MAJOR "." LIBRARY_VERSION, version, length);
}
SHOWN Return nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    if (!version)
        return INVALID_ARGUMENT;
    *version = CUDA_VERSION;
    return SUCCESS;
}
SHOWN Return nvmlSystemGetCudaDriverVersion(int *version)
{
    return nvmlSystemGetCudaDriverVersion_v2(version);
}
SHOWN Return nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length)
{
    (void)pid, (void)name, (void)length;
    return NOT_FOUND;
}

/* ---- handles ---- */

static int shown_gpus(int *gpus)
{
    char value[96];
    int count = 0;
    for (int gpu = 0; gpu < MAX_GPUS; gpu++)
        if (gpu_value(gpu, "uuid", value, sizeof value) && gpu_is(gpu, "vendor", "nvidia") &&
            gpu_has_device_file(gpu))
            gpus[count++] = gpu;
    return count;
}

SHOWN Return nvmlDeviceGetCount_v2(unsigned int *count)
{
    int gpus[MAX_GPUS];
    Return code = ready();
    if (code != SUCCESS)
        return code;
    if (!count)
        return INVALID_ARGUMENT;
    *count = (unsigned int)shown_gpus(gpus);
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetCount(unsigned int *count) { return nvmlDeviceGetCount_v2(count); }

static Return handle_of(int gpu, Device *device)
{
    if (gpu_is(gpu, "fault", "lost"))
        return GPU_IS_LOST;
    if (gpu_is(gpu, "fault", "unknown"))
        return UNKNOWN;
    whole[gpu].gpu = gpu;
    whole[gpu].part = -1;
    *device = &whole[gpu];
    return SUCCESS;
}

SHOWN Return nvmlDeviceGetHandleByIndex_v2(unsigned int index, Device *device)
{
    int gpus[MAX_GPUS];
    Return code = ready();
    if (code != SUCCESS)
        return code;
    if (!device || (int)index >= shown_gpus(gpus))
        return INVALID_ARGUMENT;
    return handle_of(gpus[index], device);
}
SHOWN Return nvmlDeviceGetHandleByIndex(unsigned int index, Device *device)
{
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

/* The last colon's right side and the bus before it: 00000000:3B:00.0 and 0000:3b:00.0 are one. */
static int same_address(const char *left, const char *right)
{
    unsigned int one[4], other[4];
    return sscanf(left, "%x:%x:%x.%x", &one[0], &one[1], &one[2], &one[3]) == 4 &&
           sscanf(right, "%x:%x:%x.%x", &other[0], &other[1], &other[2], &other[3]) == 4 &&
           memcmp(one, other, sizeof one) == 0;
}

static Return find_handle(const char *name, const char *wanted, Device *device)
{
    int gpus[MAX_GPUS];
    char value[96];
    Return code = ready();
    if (code != SUCCESS)
        return code;
    if (!wanted || !device)
        return INVALID_ARGUMENT;
    int count = shown_gpus(gpus);
    for (int each = 0; each < count; each++) {
        if (!gpu_value(gpus[each], name, value, sizeof value))
            continue;
        if (strcmp(value, wanted) == 0 || same_address(value, wanted))
            return handle_of(gpus[each], device);
    }
    return NOT_FOUND;
}
SHOWN Return nvmlDeviceGetHandleByUUID(const char *uuid, Device *device)
{
    return find_handle("uuid", uuid, device);
}
SHOWN Return nvmlDeviceGetHandleByPciBusId_v2(const char *address, Device *device)
{
    return find_handle("pci", address, device);
}
SHOWN Return nvmlDeviceGetHandleByPciBusId(const char *address, Device *device)
{
    return find_handle("pci", address, device);
}
SHOWN Return nvmlDeviceGetHandleBySerial(const char *serial, Device *device)
{
    return find_handle("serial", serial, device);
}

/* Every question to a GPU starts here: is it there, does it answer? */
static Return ask(Device device, const void *answer)
{
    Return code = ready();
    if (code != SUCCESS)
        return code;
    if (!device || !answer)
        return INVALID_ARGUMENT;
    if (gpu_is(device->gpu, "fault", "hang"))
        sleep_for_ever();
    if (gpu_is(device->gpu, "fault", "lost") || !gpu_has_device_file(device->gpu))
        return GPU_IS_LOST;
    if (gpu_is(device->gpu, "fault", "unknown"))
        return UNKNOWN;
    return SUCCESS;
}

/* As ask, for what a GPU that waits for its reset does not tell. */
static Return ask_core(Device device, const void *answer)
{
    Return code = ask(device, answer);
    if (code == SUCCESS && gpu_is(device->gpu, "fault", "reset"))
        return RESET_REQUIRED;
    return code;
}

static Return number_out(Device device, const char *name, unsigned int *number)
{
    long long value;
    Return code = ask(device, number);
    if (code != SUCCESS)
        return code;
    if (!gpu_number(device->gpu, name, &value))
        return NOT_SUPPORTED;
    *number = (unsigned int)value;
    return SUCCESS;
}

static Return core_number_out(Device device, const char *name, unsigned int *number)
{
    Return code = ask_core(device, number);
    return code == SUCCESS ? number_out(device, name, number) : code;
}

/* ---- who it is ---- */

static Return value_out(Device device, const char *name, char *buffer, unsigned int length)
{
    char value[128];
    Return code = ask(device, buffer);
    if (code != SUCCESS)
        return code;
    if (!gpu_value(device->gpu, name, value, sizeof value) || value[0] == '\0')
        return NOT_SUPPORTED;
    return text_out(value, buffer, length);
}

/* The MIG device's profile: the part-th word of `mig_devices`, words end at commas. */
static int part_profile(int gpu, int part, char *profile, size_t size)
{
    char value[256];
    if (!gpu_is(gpu, "mig", "on") || !gpu_value(gpu, "mig_devices", value, sizeof value))
        return 0;
    char *rest = value;
    for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ","), part--)
        if (part == 0 && *word) {
            snprintf(profile, size, "%s", word);
            return 1;
        }
    return 0;
}

SHOWN Return nvmlDeviceGetName(Device device, char *name, unsigned int length)
{
    char model[96], profile[32], whole_name[160];
    Return code = ask(device, name);
    if (code != SUCCESS)
        return code;
    if (!gpu_value(device->gpu, "model", model, sizeof model))
        return UNKNOWN;
    if (device->part < 0 || !part_profile(device->gpu, device->part, profile, sizeof profile))
        return text_out(model, name, length);
    snprintf(whole_name, sizeof whole_name, "%s MIG %s", model, profile);
    return text_out(whole_name, name, length);
}
SHOWN Return nvmlDeviceGetUUID(Device device, char *uuid, unsigned int length)
{
    char value[96], shown[96];
    Return code = ask(device, uuid);
    if (code != SUCCESS)
        return code;
    if (!gpu_value(device->gpu, "uuid", value, sizeof value))
        return UNKNOWN;
    if (device->part < 0)
        return text_out(value, uuid, length);
    /* One UUID per part: the GPU's with its last digit pair replaced. */
    snprintf(shown, sizeof shown, "MIG-%s", value + 4);
    snprintf(shown + strlen(shown) - 2, 3, "%02x", (unsigned)(0xa0 + device->part));
    return text_out(shown, uuid, length);
}
SHOWN Return nvmlDeviceGetSerial(Device device, char *serial, unsigned int length)
{
    return value_out(device, "serial", serial, length);
}
SHOWN Return nvmlDeviceGetVbiosVersion(Device device, char *version, unsigned int length)
{
    return value_out(device, "vbios", version, length);
}
SHOWN Return nvmlDeviceGetIndex(Device device, unsigned int *index)
{
    int gpus[MAX_GPUS];
    Return code = ask(device, index);
    if (code != SUCCESS)
        return code;
    int count = shown_gpus(gpus);
    for (int each = 0; each < count; each++)
        if (gpus[each] == device->gpu)
            *index = (unsigned int)each;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetMinorNumber(Device device, unsigned int *minor)
{
    Return code = ask(device, minor);
    if (code == SUCCESS)
        *minor = (unsigned int)device->gpu;
    return code;
}
SHOWN Return nvmlDeviceGetBrand(Device device, unsigned int *brand)
{
    Return code = ask(device, brand);
    if (code == SUCCESS)
        *brand = 14; /* "NVIDIA" */
    return code;
}

static Return read_pci(Device device, const void *answer, PciInfo *pci)
{
    char address[32];
    long long value;
    unsigned int function;
    Return code = ask(device, answer);
    if (code != SUCCESS)
        return code;
    memset(pci, 0, sizeof *pci);
    if (!gpu_value(device->gpu, "pci", address, sizeof address) ||
        sscanf(address, "%x:%x:%x.%x", &pci->domain, &pci->bus, &pci->device, &function) != 4)
        return UNKNOWN;
    pci->pciDeviceId = gpu_number(device->gpu, "device_id", &value) ? (unsigned)value << 16 | 0x10de : 0;
    if (gpu_number(device->gpu, "subsystem_id", &value)) /* 0x10de16c1: vendor, then device */
        pci->pciSubSystemId = (unsigned)((value & 0xffff) << 16 | value >> 16);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain, pci->bus, pci->device);
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus, pci->device);
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetPciInfo_v3(Device device, PciInfo *pci)
{
    PciInfo found;
    Return code = read_pci(device, pci, &found);
    if (code == SUCCESS)
        *pci = found;
    return code;
}
static Return pci_info_old(Device device, PciInfoV1 *pci)
{
    PciInfo found;
    Return code = read_pci(device, pci, &found);
    if (code != SUCCESS)
        return code;
    memset(pci, 0, sizeof *pci);
    memcpy(pci->busId, found.busIdLegacy, sizeof pci->busId);
    memcpy(&pci->domain, &found.domain, 5 * sizeof(unsigned int));
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetPciInfo_v2(Device device, PciInfoV1 *pci) { return pci_info_old(device, pci); }
SHOWN Return nvmlDeviceGetPciInfo(Device device, PciInfoV1 *pci) { return pci_info_old(device, pci); }
SHOWN Return nvmlDeviceGetPciInfoExt(Device device, PciInfoExt *pci)
{
    PciInfo found;
    Return code = read_pci(device, pci, &found);
    if (code != SUCCESS)
        return code;
    memcpy(&pci->domain, &found.domain, 5 * sizeof(unsigned int));
    pci->baseClass = 3;
    pci->subClass = 2;
    memcpy(pci->busId, found.busId, sizeof pci->busId);
    return SUCCESS;
}

SHOWN Return nvmlDeviceGetArchitecture(Device device, unsigned int *architecture)
{
    static const char *const names[] = {"", "", "kepler", "maxwell", "pascal", "volta", "turing", "ampere",
                                        "ada", "hopper", "blackwell"};
    Return code = ask(device, architecture);
    if (code != SUCCESS)
        return code;
    *architecture = 0xffffffffu;
    for (unsigned int each = 2; each < sizeof names / sizeof *names; each++)
        if (gpu_is(device->gpu, "architecture", names[each]))
            *architecture = each;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetCudaComputeCapability(Device device, int *major, int *minor)
{
    char value[16];
    Return code = ask(device, major);
    if (code != SUCCESS)
        return code;
    if (!minor || !gpu_value(device->gpu, "compute_capability", value, sizeof value) ||
        sscanf(value, "%d.%d", major, minor) != 2)
        return NOT_SUPPORTED;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetNumaNodeId(Device device, unsigned int *node)
{
    long long value;
    Return code = ask(device, node);
    if (code != SUCCESS)
        return code;
    if (!gpu_number(device->gpu, "numa_node", &value) || value < 0)
        return NOT_SUPPORTED;
    *node = (unsigned int)value;
    return SUCCESS;
}

/* ---- memory ---- */

static unsigned long long mib(Device device, const char *name)
{
    long long value;
    return gpu_number(device->gpu, name, &value) ? (unsigned long long)value << 20 : 0;
}

static unsigned long long whole_memory(Device device)
{
    char profile[32];
    const char *dot;
    if (device->part >= 0 && part_profile(device->gpu, device->part, profile, sizeof profile) &&
        (dot = strchr(profile, '.')))
        return strtoull(dot + 1, NULL, 10) << 30;
    return mib(device, "memory_mib");
}

SHOWN Return nvmlDeviceGetMemoryInfo(Device device, Memory *memory)
{
    Return code = ask_core(device, memory);
    if (code != SUCCESS)
        return code;
    memory->total = whole_memory(device);
    memory->used = mib(device, "memory_used_mib");
    memory->free = memory->total - memory->used;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetMemoryInfo_v2(Device device, MemoryV2 *memory)
{
    Return code = ask_core(device, memory);
    if (code != SUCCESS)
        return code;
    if (memory->version != (sizeof *memory | 2u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    memory->total = whole_memory(device);
    memory->reserved = mib(device, "memory_reserved_mib");
    memory->used = mib(device, "memory_used_mib");
    memory->free = memory->total - memory->used - memory->reserved;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetBAR1MemoryInfo(Device device, Memory *memory)
{
    Return code = ask_core(device, memory);
    if (code != SUCCESS)
        return code;
    memory->total = mib(device, "bar1_mib");
    memory->used = memory->total ? 1u << 20 : 0;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

/* ---- the link ---- */

SHOWN Return nvmlDeviceGetCurrPcieLinkGeneration(Device device, unsigned int *generation)
{
    return core_number_out(device, "link_generation", generation);
}
SHOWN Return nvmlDeviceGetCurrPcieLinkWidth(Device device, unsigned int *width)
{
    return core_number_out(device, "link_width", width);
}
static Return smaller_out(Device device, const char *one, const char *other, unsigned int *number)
{
    long long limit;
    Return code = core_number_out(device, one, number);
    if (code == SUCCESS && gpu_number(device->gpu, other, &limit) && (unsigned)limit < *number)
        *number = (unsigned int)limit;
    return code;
}
SHOWN Return nvmlDeviceGetMaxPcieLinkGeneration(Device device, unsigned int *generation)
{
    return smaller_out(device, "max_link_generation", "slot_link_generation", generation);
}
SHOWN Return nvmlDeviceGetGpuMaxPcieLinkGeneration(Device device, unsigned int *generation)
{
    return core_number_out(device, "max_link_generation", generation);
}
SHOWN Return nvmlDeviceGetMaxPcieLinkWidth(Device device, unsigned int *width)
{
    return smaller_out(device, "max_link_width", "slot_link_width", width);
}
SHOWN Return nvmlDeviceGetPcieReplayCounter(Device device, unsigned int *count)
{
    Return code = ask_core(device, count);
    if (code == SUCCESS)
        *count = 0;
    return code;
}

/* ---- modes ---- */

static Return mode_out(Device device, const char *current_name, const char *pending_name,
                       unsigned int *current, unsigned int *pending)
{
    char value[16];
    Return code = ask_core(device, current);
    if (code != SUCCESS)
        return code;
    if (!pending)
        return INVALID_ARGUMENT;
    if (!gpu_value(device->gpu, current_name, value, sizeof value) || strcmp(value, "none") == 0)
        return NOT_SUPPORTED;
    *current = *pending = strcmp(value, "on") == 0;
    if (gpu_value(device->gpu, pending_name, value, sizeof value))
        *pending = strcmp(value, "on") == 0;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetEccMode(Device device, unsigned int *current, unsigned int *pending)
{
    return mode_out(device, "ecc", "ecc_pending", current, pending);
}
SHOWN Return nvmlDeviceGetMigMode(Device device, unsigned int *current, unsigned int *pending)
{
    return mode_out(device, "mig", "mig_pending", current, pending);
}
SHOWN Return nvmlDeviceGetPersistenceMode(Device device, unsigned int *mode)
{
    Return code = ask(device, mode);
    if (code != SUCCESS)
        return code;
    *mode = access(MACHINE_PERSISTENCE, F_OK) == 0 || gpu_is(device->gpu, "persistence", "on");
    return SUCCESS;
}
SHOWN Return nvmlDeviceSetPersistenceMode(Device device, unsigned int mode)
{
    Return code = ask(device, device);
    if (code != SUCCESS)
        return code;
    if (geteuid() != 0)
        return NO_PERMISSION;
    if (!mode) {
        unlink(MACHINE_PERSISTENCE);
        return SUCCESS;
    }
    FILE *file = fopen(MACHINE_PERSISTENCE, "w");
    if (!file)
        return UNKNOWN;
    fclose(file);
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetComputeMode(Device device, unsigned int *mode)
{
    Return code = ask(device, mode);
    if (code == SUCCESS)
        *mode = 0;
    return code;
}
SHOWN Return nvmlDeviceGetDisplayMode(Device device, unsigned int *mode)
{
    Return code = ask(device, mode);
    if (code == SUCCESS)
        *mode = 0;
    return code;
}
SHOWN Return nvmlDeviceGetDisplayActive(Device device, unsigned int *mode)
{
    return nvmlDeviceGetDisplayMode(device, mode);
}

/* ---- memory errors ---- */

static unsigned long long ecc_count(Device device, unsigned int type, unsigned int counter)
{
    static const char *const names[2][2] = {
        {"ecc_volatile_corrected", "ecc_aggregate_corrected"},
        {"ecc_volatile_uncorrected", "ecc_aggregate_uncorrected"}};
    long long value;
    return gpu_number(device->gpu, names[type][counter], &value) ? (unsigned long long)value : 0;
}
static Return ecc_ready(Device device, unsigned int type, unsigned int counter, const void *answer)
{
    Return code = ask_core(device, answer);
    if (code != SUCCESS)
        return code;
    if (type > 1 || counter > 1)
        return INVALID_ARGUMENT;
    return gpu_is(device->gpu, "ecc", "on") ? SUCCESS : NOT_SUPPORTED;
}
SHOWN Return nvmlDeviceGetTotalEccErrors(Device device, unsigned int type, unsigned int counter,
                                         unsigned long long *count)
{
    Return code = ecc_ready(device, type, counter, count);
    if (code == SUCCESS)
        *count = ecc_count(device, type, counter);
    return code;
}
SHOWN Return nvmlDeviceGetDetailedEccErrors(Device device, unsigned int type, unsigned int counter,
                                            EccCounts *counts)
{
    Return code = ecc_ready(device, type, counter, counts);
    if (code != SUCCESS)
        return code;
    memset(counts, 0, sizeof *counts);
    counts->deviceMemory = ecc_count(device, type, counter);
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetMemoryErrorCounter(Device device, unsigned int type, unsigned int counter,
                                             unsigned int location, unsigned long long *count)
{
    Return code = ecc_ready(device, type, counter, count);
    if (code == SUCCESS)
        *count = location == 2 ? ecc_count(device, type, counter) : 0;
    return code;
}
SHOWN Return nvmlDeviceGetRemappedRows(Device device, unsigned int *corrected, unsigned int *uncorrected,
                                       unsigned int *pending, unsigned int *failed)
{
    Return code = core_number_out(device, "remapped_corrected", corrected);
    if (code != SUCCESS)
        return code;
    if (!uncorrected || !pending || !failed)
        return INVALID_ARGUMENT;
    number_out(device, "remapped_uncorrected", uncorrected);
    *pending = gpu_is(device->gpu, "remap_pending", "yes");
    *failed = gpu_is(device->gpu, "remap_failed", "yes");
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetRowRemapperHistogram(Device device, RemapHistogram *histogram)
{
    unsigned int corrected;
    Return code = core_number_out(device, "remapped_corrected", &corrected);
    if (code != SUCCESS)
        return code;
    memset(histogram, 0, sizeof *histogram);
    histogram->max = 640;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetRetiredPages(Device device, unsigned int cause, unsigned int *count,
                                       unsigned long long *addresses)
{
    unsigned int found;
    Return code = core_number_out(device, cause == 1 ? "retired_pages_double" : "retired_pages_single", &found);
    if (code != SUCCESS)
        return code;
    if (!count)
        return INVALID_ARGUMENT;
    unsigned int room = *count;
    *count = found;
    if (room < found)
        return INSUFFICIENT_SIZE;
    for (unsigned int each = 0; addresses && each < found; each++)
        addresses[each] = 0x1000ull * (each + 1);
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetRetiredPages_v2(Device device, unsigned int cause, unsigned int *count,
                                          unsigned long long *addresses, unsigned long long *times)
{
    Return code = nvmlDeviceGetRetiredPages(device, cause, count, addresses);
    for (unsigned int each = 0; code == SUCCESS && times && each < *count; each++)
        times[each] = 0;
    return code;
}
SHOWN Return nvmlDeviceGetRetiredPagesPendingStatus(Device device, unsigned int *pending)
{
    unsigned int found;
    Return code = core_number_out(device, "retired_pages_single", &found);
    if (code == SUCCESS)
        *pending = gpu_is(device->gpu, "retired_pages_pending", "yes");
    return code;
}

/* ---- heat, power, load ---- */

SHOWN Return nvmlDeviceGetTemperature(Device device, unsigned int sensor, unsigned int *degrees)
{
    (void)sensor;
    return core_number_out(device, "temperature_c", degrees);
}
SHOWN Return nvmlDeviceGetTemperatureThreshold(Device device, unsigned int kind, unsigned int *degrees)
{
    Return code = ask_core(device, degrees);
    if (code == SUCCESS)
        *degrees = kind == 0 ? 95 : 90;
    return code;
}
static Return milliwatts_out(Device device, const char *name, unsigned int *power)
{
    char value[32];
    Return code = ask_core(device, power);
    if (code != SUCCESS)
        return code;
    if (!gpu_value(device->gpu, name, value, sizeof value) || value[0] == '\0')
        return NOT_SUPPORTED;
    *power = (unsigned int)(atof(value) * 1000 + 0.5);
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetPowerUsage(Device device, unsigned int *power)
{
    return milliwatts_out(device, "power_w", power);
}
SHOWN Return nvmlDeviceGetEnforcedPowerLimit(Device device, unsigned int *limit)
{
    return milliwatts_out(device, "power_limit_w", limit);
}
SHOWN Return nvmlDeviceGetPowerManagementLimit(Device device, unsigned int *limit)
{
    return milliwatts_out(device, "power_limit_w", limit);
}
SHOWN Return nvmlDeviceGetPowerManagementDefaultLimit(Device device, unsigned int *limit)
{
    return milliwatts_out(device, "power_limit_w", limit);
}
SHOWN Return nvmlDeviceGetPowerManagementMode(Device device, unsigned int *mode)
{
    Return code = ask(device, mode);
    if (code == SUCCESS)
        *mode = 1;
    return code;
}
SHOWN Return nvmlDeviceGetUtilizationRates(Device device, Utilization *rates)
{
    Return code = ask_core(device, rates);
    if (code != SUCCESS)
        return code;
    if (device->part >= 0 || gpu_is(device->gpu, "mig", "on"))
        return NOT_SUPPORTED;
    code = number_out(device, "utilization_percent", &rates->gpu);
    rates->memory = 0;
    return code;
}
SHOWN Return nvmlDeviceGetPerformanceState(Device device, unsigned int *state)
{
    long long value = 0;
    Return code = ask_core(device, state);
    if (code != SUCCESS)
        return code;
    gpu_number(device->gpu, "performance_state", &value);
    *state = (unsigned int)value;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetFanSpeed(Device device, unsigned int *speed)
{
    return core_number_out(device, "fan_percent", speed);
}
SHOWN Return nvmlDeviceGetClockInfo(Device device, unsigned int kind, unsigned int *mhz)
{
    return core_number_out(device, kind == 2 ? "memory_clock_mhz" : "clock_mhz", mhz);
}
SHOWN Return nvmlDeviceGetMaxClockInfo(Device device, unsigned int kind, unsigned int *mhz)
{
    return nvmlDeviceGetClockInfo(device, kind, mhz);
}
SHOWN Return nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long *reasons)
{
    long long value = 1; /* idle */
    Return code = ask_core(device, reasons);
    if (code != SUCCESS)
        return code;
    gpu_number(device->gpu, "throttle_reasons", &value);
    *reasons = (unsigned long long)value;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetCurrentClocksEventReasons(Device device, unsigned long long *reasons)
{
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, reasons);
}
SHOWN Return nvmlDeviceGetFieldValues(Device device, int count, FieldValue *values)
{
    Return code = ask(device, values);
    for (int each = 0; code == SUCCESS && each < count; each++)
        values[each].nvmlReturn = NOT_SUPPORTED;
    return code;
}

/* ---- parts of a partitioned GPU ---- */

static int count_parts(int gpu)
{
    char profile[32];
    int count = 0;
    while (count < 7 && part_profile(gpu, count, profile, sizeof profile))
        count++;
    return count;
}
SHOWN Return nvmlDeviceGetMaxMigDeviceCount(Device device, unsigned int *count)
{
    Return code = ask(device, count);
    if (code == SUCCESS)
        *count = gpu_is(device->gpu, "mig", "on") || gpu_is(device->gpu, "mig", "off") ? 7 : 0;
    return code;
}
SHOWN Return nvmlDeviceGetMigDeviceHandleByIndex(Device device, unsigned int index, Device *part)
{
    Return code = ask(device, part);
    if (code != SUCCESS)
        return code;
    if (index >= 7)
        return INVALID_ARGUMENT;
    if ((int)index >= count_parts(device->gpu))
        return NOT_FOUND;
    parts[device->gpu][index].gpu = device->gpu;
    parts[device->gpu][index].part = (int)index;
    *part = &parts[device->gpu][index];
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Device part, Device *device)
{
    Return code = ask(part, device);
    return code == SUCCESS ? handle_of(part->gpu, device) : code;
}
SHOWN Return nvmlDeviceIsMigDeviceHandle(Device device, unsigned int *is_part)
{
    Return code = ask(device, is_part);
    if (code == SUCCESS)
        *is_part = device->part >= 0;
    return code;
}
SHOWN Return nvmlDeviceGetGpuInstanceId(Device device, unsigned int *id)
{
    Return code = ask(device, id);
    if (code != SUCCESS)
        return code;
    if (device->part < 0)
        return NOT_SUPPORTED;
    *id = (unsigned int)device->part + 7;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetComputeInstanceId(Device device, unsigned int *id)
{
    Return code = nvmlDeviceGetGpuInstanceId(device, id);
    if (code == SUCCESS)
        *id = 0;
    return code;
}
SHOWN Return nvmlDeviceGetAttributes_v2(Device device, Attributes *attributes)
{
    Return code = ask(device, attributes);
    if (code != SUCCESS)
        return code;
    if (device->part < 0)
        return NOT_SUPPORTED;
    char profile[32] = "1g";
    part_profile(device->gpu, device->part, profile, sizeof profile);
    memset(attributes, 0, sizeof *attributes);
    attributes->gpuInstanceSliceCount = (unsigned int)atoi(profile);
    attributes->computeInstanceSliceCount = attributes->gpuInstanceSliceCount;
    attributes->memorySizeMB = whole_memory(device) >> 20;
    return SUCCESS;
}
SHOWN Return nvmlDeviceGetAttributes(Device device, Attributes *attributes)
{
    return nvmlDeviceGetAttributes_v2(device, attributes);
}

/* ---- processes: there never is one ---- */

static Return no_process(Device device, unsigned int *count)
{
    Return code = ask(device, count);
    if (code == SUCCESS)
        *count = 0;
    return code;
}
#define NO_PROCESS(name)                                                                             \
    SHOWN Return name(Device device, unsigned int *count, void *processes)                           \
    {                                                                                                \
        (void)processes;                                                                             \
        return no_process(device, count);                                                            \
    }
NO_PROCESS(nvmlDeviceGetComputeRunningProcesses)
NO_PROCESS(nvmlDeviceGetComputeRunningProcesses_v2)
NO_PROCESS(nvmlDeviceGetComputeRunningProcesses_v3)
NO_PROCESS(nvmlDeviceGetGraphicsRunningProcesses)
NO_PROCESS(nvmlDeviceGetGraphicsRunningProcesses_v2)
NO_PROCESS(nvmlDeviceGetGraphicsRunningProcesses_v3)
NO_PROCESS(nvmlDeviceGetMPSComputeRunningProcesses_v3)
SHOWN Return nvmlDeviceGetProcessUtilization(Device device, void *samples, unsigned int *count,
                                             unsigned long long since)
{
    (void)samples, (void)since;
    return no_process(device, count);
}
SHOWN Return nvmlDeviceGetProcessesUtilizationInfo(Device device, void *information)
{
    Return code = ask(device, information);
    return code == SUCCESS ? NOT_SUPPORTED : code;
}

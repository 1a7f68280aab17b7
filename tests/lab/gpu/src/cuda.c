/* Copyright (c) 2026 rackforge contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for libcuda.so.1, for test nodes. It finds devices and pretends to compute: every launch
 * takes a moment and finds what `gpu.N.compute_errors` says, or fails with `gpu.N.compute_failure`. Nothing is computed.
 */
#include <time.h>

#include "machine.h"

#define SHOWN __attribute__((visibility("default")))
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_FAILED = 719,
    SYSTEM_NOT_READY = 802,
    SYSTEM_DRIVER_MISMATCH = 803,
    UNKNOWN = 999
};

static int devices[MAX_GPUS], count, ready, current;
static unsigned long long taken;

/* CUDA_VISIBLE_DEVICES chooses and orders: numbers or UUIDs, until the first that does not exist. */
static void choose_visible(void)
{
    const char *wish = getenv("CUDA_VISIBLE_DEVICES");
    int all[MAX_GPUS], total = count;
    char words[1024], uuid[96], *rest = words;
    if (!wish)
        return;
    memcpy(all, devices, sizeof all);
    snprintf(words, sizeof words, "%s", wish);
    count = 0;
    for (char *word = strsep(&rest, ","); word && *word; word = strsep(&rest, ",")) {
        int found = -1;
        for (int each = 0; each < total; each++)
            if (isdigit((unsigned char)*word) ? atoi(word) == each
                                              : gpu_value(all[each], "uuid", uuid, sizeof uuid) && !strcmp(uuid, word))
                found = all[each];
        if (found < 0)
            return;
        devices[count++] = found;
    }
}

SHOWN int cuInit(unsigned int flags)
{
    char value[96];
    struct stat found;
    if (flags)
        return INVALID_VALUE;
    if (!machine_read() || stat("/dev/nvidiactl", &found) != 0)
        return NO_DEVICE;
    if (machine_value("loaded", value, sizeof value) && strcmp(value, LIBRARY_VERSION) != 0)
        return SYSTEM_DRIVER_MISMATCH;
    count = 0;
    for (int gpu = 0; gpu < MAX_GPUS; gpu++)
        if (gpu_is(gpu, "vendor", "nvidia") && gpu_has_device_file(gpu) && !gpu_is(gpu, "fault", "lost"))
            devices[count++] = gpu;
    choose_visible();
    if (count == 0)
        return NO_DEVICE;
    /* GPUs behind NVSwitches compute only once the fabric manager has set those up. */
    if (machine_value("nvswitches", value, sizeof value) && atoi(value) > 0 &&
        stat("/run/nvidia-fabricmanager/nv-fabricmanager.pid", &found) != 0)
        return SYSTEM_NOT_READY;
    ready = 1;
    return SUCCESS;
}
SHOWN int cuDriverGetVersion(int *version)
{
    *version = CUDA_VERSION;
    return SUCCESS;
}
SHOWN int cuDeviceGetCount(int *number)
{
    if (!ready)
        return NOT_INITIALIZED;
    *number = count;
    return SUCCESS;
}
SHOWN int cuDeviceGet(int *device, int ordinal)
{
    if (!ready)
        return NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= count)
        return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}
SHOWN int cuDeviceGetName(char *name, int length, int device)
{
    if (device < 0 || device >= count)
        return INVALID_DEVICE;
    machine_read();
    return gpu_value(devices[device], "model", name, (size_t)length) ? SUCCESS : UNKNOWN;
}
SHOWN int cuDevicePrimaryCtxRetain(void **context, int device)
{
    if (device < 0 || device >= count)
        return INVALID_DEVICE;
    current = device;
    *context = &devices[device];
    return SUCCESS;
}
SHOWN int cuDevicePrimaryCtxRelease_v2(int device)
{
    (void)device;
    return SUCCESS;
}
SHOWN int cuCtxSetCurrent(void *context)
{
    (void)context;
    return SUCCESS;
}

static unsigned long long memory(void)
{
    long long mib;
    machine_read();
    return gpu_number(devices[current], "memory_mib", &mib) ? (unsigned long long)mib << 20 : 0;
}
SHOWN int cuMemGetInfo_v2(size_t *free, size_t *total)
{
    *total = memory();
    *free = *total - taken;
    return SUCCESS;
}
SHOWN int cuMemAlloc_v2(unsigned long long *pointer, size_t size)
{
    if (size == 0)
        return INVALID_VALUE;
    if (taken + size > memory())
        return OUT_OF_MEMORY;
    *pointer = 0x7f0000000000ull + taken;
    taken += size;
    return SUCCESS;
}
SHOWN int cuMemFree_v2(unsigned long long pointer)
{
    (void)pointer;
    return SUCCESS;
}
SHOWN int cuMemsetD32_v2(unsigned long long pointer, unsigned int value, size_t number)
{
    (void)pointer, (void)value, (void)number;
    return SUCCESS;
}
SHOWN int cuModuleLoadData(void **module, const void *image)
{
    *module = (void *)image;
    return image ? SUCCESS : INVALID_VALUE;
}
SHOWN int cuModuleGetFunction(void **function, void *module, const char *name)
{
    *function = module;
    return name && *name ? SUCCESS : INVALID_VALUE;
}
SHOWN int cuLaunchKernel(void *function, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                         unsigned int by, unsigned int bz, unsigned int shared, void *stream, void **arguments,
                         void **extra)
{
    (void)gx, (void)gy, (void)gz, (void)bx, (void)by, (void)bz, (void)shared, (void)stream, (void)arguments,
        (void)extra;
    return function ? SUCCESS : INVALID_VALUE;
}
SHOWN int cuCtxSynchronize(void)
{
    struct timespec moment = {0, 20 * 1000 * 1000};
    long long code;
    machine_read();
    if (gpu_number(devices[current], "compute_failure", &code))
        return (int)code;
    if (gpu_is(devices[current], "fault", "hang"))
        for (;;)
            pause();
    if (gpu_is(devices[current], "fault", "lost") || gpu_is(devices[current], "fault", "unknown"))
        return UNKNOWN;
    nanosleep(&moment, NULL);
    return SUCCESS;
}
SHOWN int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t size)
{
    long long errors = 0;
    (void)from;
    machine_read();
    gpu_number(devices[current], "compute_errors", &errors);
    memset(to, 0, size);
    memcpy(to, &errors, size < sizeof errors ? size : sizeof errors);
    return SUCCESS;
}
SHOWN int cuGetErrorName(int code, const char **name)
{
    switch (code) {
    case SUCCESS: *name = "CUDA_SUCCESS"; break;
    case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case NOT_INITIALIZED: *name = "CUDA_ERROR_NOT_INITIALIZED"; break;
    case NO_DEVICE: *name = "CUDA_ERROR_NO_DEVICE"; break;
    case INVALID_DEVICE: *name = "CUDA_ERROR_INVALID_DEVICE"; break;
    case ILLEGAL_ADDRESS: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    case LAUNCH_FAILED: *name = "CUDA_ERROR_LAUNCH_FAILED"; break;
    case SYSTEM_NOT_READY: *name = "CUDA_ERROR_SYSTEM_NOT_READY"; break;
    case SYSTEM_DRIVER_MISMATCH: *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; break;
    default: *name = "CUDA_ERROR_UNKNOWN";
    }
    return SUCCESS;
}

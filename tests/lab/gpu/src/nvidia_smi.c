/* Copyright (c) 2026 rackforge contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for nvidia-smi, for test nodes: it opens the stand-in library as the real one opens
 * the real library, and prints what collections and people ask it for: -L, -q -x, --query-gpu, -pm,
 * and a short list. `smi=hang|garbage|truncated|absent` in the machine's settings breaks it.
 */
#include <dlfcn.h>
#include <stdarg.h>

#include "machine.h"

typedef struct device *Device;
typedef struct {
    char busIdLegacy[16];
    unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} PciInfo;
typedef struct {
    unsigned int version;
    unsigned long long total, reserved, free, used;
} MemoryV2;
typedef struct {
    unsigned long long total, free, used;
} Memory;
typedef struct {
    unsigned int gpu, memory;
} Utilization;

static void *library;
static char *output; /* all that would be printed, so that it can be cut short */
static size_t output_size;
static FILE *out;

static void *symbol(const char *name)
{
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "nvidia-smi (stand-in): the library has no %s\n", name);
        exit(13);
    }
    return found;
}
#define CALL(name, ...) ((int (*)())symbol(name))(__VA_ARGS__)

static const char *error_text(int code)
{
    return ((const char *(*)(int))symbol("nvmlErrorString"))(code);
}

/* What stands in the report where a GPU gives no value. */
static const char *refusal(int code)
{
    switch (code) {
    case 3: return "N/A";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    default: return "Unknown Error";
    }
}

/* The CSV form puts such words into brackets, the report does not. */
static int has_brackets;
static void refuse(char *text, size_t size, int code)
{
    snprintf(text, size, has_brackets ? "[%s]" : "%s", refusal(code));
}

static void start(void)
{
    char version[80];
    library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library) {
        printf("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. "
               "Please make sure that the NVIDIA Display Driver is properly installed and present in your system.\n"
               "Please also try adding directory that contains libnvidia-ml.so to your system PATH.\n");
        exit(12);
    }
    int code = CALL("nvmlInit_v2");
    if (code == 0)
        return;
    if (code == 9)
        printf("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
               "Make sure that the latest NVIDIA driver is installed and running.\n\n");
    else
        printf("Failed to initialize NVML: %s\n", error_text(code));
    if (code == 18 && CALL("nvmlSystemGetNVMLVersion", version, (unsigned)sizeof version) == 0) {
        char *shown = strchr(version, '.') + 1, *dot = strchr(shown, '.');
        if (dot && strchr(dot + 1, '.'))
            *strchr(dot + 1, '.') = '\0';
        printf("NVML library version: %s\n", shown);
    }
    exit(code > 255 ? 255 : code);
}

static unsigned int count_gpus(void)
{
    unsigned int count = 0;
    CALL("nvmlDeviceGetCount_v2", &count);
    if (count == 0) {
        printf("No devices were found\n");
        exit(6);
    }
    return count;
}

/* A GPU whose handle cannot be had is told of, and left out. */
static Device handle(unsigned int index, int *worst)
{
    Device device = NULL;
    char address[32] = "?";
    int code = CALL("nvmlDeviceGetHandleByIndex_v2", index, &device);
    if (code == 0)
        return device;
    machine_read();
    for (int gpu = 0, seen = -1; gpu < MAX_GPUS; gpu++)
        if (gpu_has_device_file(gpu) && gpu_is(gpu, "vendor", "nvidia") && ++seen == (int)index)
            gpu_value(gpu, "pci", address, sizeof address);
    for (char *each = address; *each; each++)
        *each = (char)toupper((unsigned char)*each);
    fprintf(out, "Unable to determine the device handle for GPU%u: %s: %s%s\n", index, address, error_text(code),
            code == 15 ? ".  Reboot the system to recover this GPU" : "");
    *worst = code > 255 ? 255 : code;
    return NULL;
}

static const char *text_of(const char *function, Device device)
{
    static char texts[8][160];
    static int turn;
    char *text = texts[turn++ % 8];
    int code = CALL(function, device, text, 96u);
    if (code != 0)
        refuse(text, 160, code);
    return text;
}

/* A number with its unit, or why there is none. */
static const char *number_of(const char *function, Device device, const char *format, int argument)
{
    static char texts[16][80];
    static int turn;
    char *text = texts[turn++ % 16];
    unsigned int value = 0;
    int code = argument < 0 ? CALL(function, device, &value) : CALL(function, device, (unsigned)argument, &value);
    if (code != 0)
        refuse(text, 80, code);
    else
        snprintf(text, 80, format, value);
    return text;
}

static const char *watts_of(const char *function, Device device)
{
    static char texts[8][80];
    static int turn;
    char *text = texts[turn++ % 8];
    unsigned int value = 0;
    int code = CALL(function, device, &value);
    if (code != 0)
        refuse(text, 80, code);
    else
        snprintf(text, 80, "%.2f W", value / 1000.0);
    return text;
}

static const char *mode_of(const char *function, Device device, int pending)
{
    static char text[80];
    unsigned int values[2] = {0, 0};
    int code = CALL(function, device, &values[0], &values[1]);
    if (code != 0)
        refuse(text, sizeof text, code);
    else
        snprintf(text, sizeof text, "%s", values[pending] ? "Enabled" : "Disabled");
    return text;
}

static const char *ecc_of(Device device, unsigned int type, unsigned int counter, unsigned int location)
{
    static char texts[16][80];
    static int turn;
    char *text = texts[turn++ % 16];
    unsigned long long value = 0;
    int code = CALL("nvmlDeviceGetMemoryErrorCounter", device, type, counter, location, &value);
    if (code != 0)
        refuse(text, 80, code);
    else
        snprintf(text, 80, "%llu", value);
    return text;
}

/* ---- XML ---- */

static int depth;
static void line(const char *format, ...)
{
    va_list arguments;
    for (int each = 0; each < depth; each++)
        fputc('\t', out);
    va_start(arguments, format);
    vfprintf(out, format, arguments);
    va_end(arguments);
    fputc('\n', out);
}
static void item(const char *name, const char *value)
{
    line("<%s>%s</%s>", name, value, name);
}
static void open_item(const char *name)
{
    line("<%s>", name);
    depth++;
}
static void close_item(const char *name)
{
    depth--;
    line("</%s>", name);
}

static void memory_items(const char *name, int code, unsigned long long total, unsigned long long reserved,
                         unsigned long long used, int with_reserved)
{
    const char *names[] = {"total", "reserved", "used", "free"};
    unsigned long long values[] = {total, reserved, used, total - reserved - used};
    open_item(name);
    for (int each = 0; each < 4; each++) {
        char text[64];
        snprintf(text, sizeof text, "%llu MiB", values[each] >> 20);
        if (each != 1 || with_reserved)
            item(names[each], code == 0 ? text : refusal(code));
    }
    close_item(name);
}

static void ecc_items(Device device)
{
    static const char *const names[] = {"volatile", "aggregate"};
    open_item("ecc_mode");
    item("current_ecc", mode_of("nvmlDeviceGetEccMode", device, 0));
    item("pending_ecc", mode_of("nvmlDeviceGetEccMode", device, 1));
    close_item("ecc_mode");
    open_item("ecc_errors");
    for (unsigned int counter = 0; counter < 2; counter++) {
        open_item(names[counter]);
        item("sram_correctable", ecc_of(device, 0, counter, 7));
        item("sram_uncorrectable_parity", ecc_of(device, 1, counter, 7));
        item("sram_uncorrectable_secded", ecc_of(device, 1, counter, 7));
        item("dram_correctable", ecc_of(device, 0, counter, 2));
        item("dram_uncorrectable", ecc_of(device, 1, counter, 2));
        close_item(names[counter]);
    }
    close_item("ecc_errors");
}

static void row_items(Device device)
{
    unsigned int corrected, uncorrected, pending, failed;
    char text[32];
    int code = CALL("nvmlDeviceGetRemappedRows", device, &corrected, &uncorrected, &pending, &failed);
    if (code != 0) {
        item("remapped_rows", refusal(code));
        return;
    }
    open_item("remapped_rows");
    snprintf(text, sizeof text, "%u", corrected);
    item("remapped_row_corr", text);
    snprintf(text, sizeof text, "%u", uncorrected);
    item("remapped_row_unc", text);
    item("remapped_row_pending", pending ? "Yes" : "No");
    item("remapped_row_failure", failed ? "Yes" : "No");
    close_item("remapped_rows");
}

static void page_items(Device device)
{
    static const char *const names[] = {"multiple_single_bit_retirement", "double_bit_retirement"};
    unsigned int pending = 0;
    int code = CALL("nvmlDeviceGetRetiredPagesPendingStatus", device, &pending);
    open_item("retired_pages");
    for (unsigned int cause = 0; cause < 2; cause++) {
        unsigned int count = 0;
        char text[32];
        int refused = CALL("nvmlDeviceGetRetiredPages", device, cause, &count, NULL);
        open_item(names[cause]);
        snprintf(text, sizeof text, "%u", count);
        item("retired_count", refused && refused != 7 ? refusal(refused) : text);
        item("retired_pagelist", "N/A");
        close_item(names[cause]);
    }
    item("pending_blacklist", code ? refusal(code) : pending ? "Yes" : "No");
    item("pending_retirement", code ? refusal(code) : pending ? "Yes" : "No");
    close_item("retired_pages");
}

static void part_items(Device device)
{
    unsigned int most = 0;
    Device part;
    CALL("nvmlDeviceGetMaxMigDeviceCount", device, &most);
    if (CALL("nvmlDeviceGetMigDeviceHandleByIndex", device, 0u, &part) != 0) {
        item("mig_devices", "None");
        return;
    }
    open_item("mig_devices");
    for (unsigned int index = 0; index < most; index++) {
        MemoryV2 memory = {.version = sizeof memory | 2u << 24};
        char text[32];
        if (CALL("nvmlDeviceGetMigDeviceHandleByIndex", device, index, &part) != 0)
            break;
        open_item("mig_device");
        snprintf(text, sizeof text, "%u", index);
        item("index", text);
        item("gpu_instance_id", number_of("nvmlDeviceGetGpuInstanceId", part, "%u", -1));
        item("compute_instance_id", "0");
        int code = CALL("nvmlDeviceGetMemoryInfo_v2", part, &memory);
        memory_items("fb_memory_usage", code, memory.total, memory.reserved, memory.used, 1);
        close_item("mig_device");
    }
    close_item("mig_devices");
}

static void pci_items(Device device, const PciInfo *pci)
{
    char text[64];
    open_item("pci");
    snprintf(text, sizeof text, "%02X", pci->bus);
    item("pci_bus", text);
    snprintf(text, sizeof text, "%02X", pci->device);
    item("pci_device", text);
    snprintf(text, sizeof text, "%04X", pci->domain);
    item("pci_domain", text);
    item("pci_base_class", "3");
    item("pci_sub_class", "2");
    snprintf(text, sizeof text, "%08X", pci->pciDeviceId);
    item("pci_device_id", text);
    item("pci_bus_id", pci->busId);
    snprintf(text, sizeof text, "%08X", pci->pciSubSystemId);
    item("pci_sub_system_id", text);
    open_item("pci_gpu_link_info");
    open_item("pcie_gen");
    item("max_link_gen", number_of("nvmlDeviceGetMaxPcieLinkGeneration", device, "%u", -1));
    item("current_link_gen", number_of("nvmlDeviceGetCurrPcieLinkGeneration", device, "%u", -1));
    item("device_current_link_gen", number_of("nvmlDeviceGetCurrPcieLinkGeneration", device, "%u", -1));
    item("max_device_link_gen", number_of("nvmlDeviceGetGpuMaxPcieLinkGeneration", device, "%u", -1));
    item("max_host_link_gen", number_of("nvmlDeviceGetMaxPcieLinkGeneration", device, "%u", -1));
    close_item("pcie_gen");
    open_item("link_widths");
    item("max_link_width", number_of("nvmlDeviceGetMaxPcieLinkWidth", device, "%ux", -1));
    item("current_link_width", number_of("nvmlDeviceGetCurrPcieLinkWidth", device, "%ux", -1));
    close_item("link_widths");
    close_item("pci_gpu_link_info");
    item("replay_counter", number_of("nvmlDeviceGetPcieReplayCounter", device, "%u", -1));
    close_item("pci");
}

static const char *architecture_of(Device device)
{
    static const char *const names[] = {"Unknown", "Unknown", "Kepler", "Maxwell", "Pascal", "Volta", "Turing",
                                        "Ampere", "Ada Lovelace", "Hopper", "Blackwell"};
    unsigned int value = 0;
    int code = CALL("nvmlDeviceGetArchitecture", device, &value);
    return code ? refusal(code) : names[value < 11 ? value : 0];
}

static void power_items(Device device)
{
    open_item("gpu_power_readings");
    item("power_state", number_of("nvmlDeviceGetPerformanceState", device, "P%u", -1));
    item("average_power_draw", watts_of("nvmlDeviceGetPowerUsage", device));
    item("instant_power_draw", watts_of("nvmlDeviceGetPowerUsage", device));
    item("current_power_limit", watts_of("nvmlDeviceGetEnforcedPowerLimit", device));
    item("requested_power_limit", watts_of("nvmlDeviceGetPowerManagementLimit", device));
    item("default_power_limit", watts_of("nvmlDeviceGetPowerManagementDefaultLimit", device));
    close_item("gpu_power_readings");
}

static void gpu_items(Device device)
{
    PciInfo pci;
    MemoryV2 memory = {.version = sizeof memory | 2u << 24};
    Memory bar1 = {0, 0, 0};
    Utilization load = {0, 0};
    char text[32];
    if (CALL("nvmlDeviceGetPciInfo_v3", device, &pci) != 0)
        return;
    line("<gpu id=\"%s\">", pci.busId);
    depth++;
    item("product_name", text_of("nvmlDeviceGetName", device));
    item("product_brand", "NVIDIA");
    item("product_architecture", architecture_of(device));
    item("display_mode", "Disabled");
    item("display_active", "Disabled");
    unsigned int persistence = 0;
    CALL("nvmlDeviceGetPersistenceMode", device, &persistence);
    item("persistence_mode", persistence ? "Enabled" : "Disabled");
    item("addressing_mode", "None");
    open_item("mig_mode");
    item("current_mig", mode_of("nvmlDeviceGetMigMode", device, 0));
    item("pending_mig", mode_of("nvmlDeviceGetMigMode", device, 1));
    close_item("mig_mode");
    part_items(device);
    item("serial", text_of("nvmlDeviceGetSerial", device));
    item("uuid", text_of("nvmlDeviceGetUUID", device));
    item("minor_number", number_of("nvmlDeviceGetMinorNumber", device, "%u", -1));
    item("vbios_version", text_of("nvmlDeviceGetVbiosVersion", device));
    pci_items(device, &pci);
    item("fan_speed", number_of("nvmlDeviceGetFanSpeed", device, "%u %%", -1));
    int code = CALL("nvmlDeviceGetMemoryInfo_v2", device, &memory);
    memory_items("fb_memory_usage", code, memory.total, memory.reserved, memory.used, 1);
    code = CALL("nvmlDeviceGetBAR1MemoryInfo", device, &bar1);
    memory_items("bar1_memory_usage", code, bar1.total, 0, bar1.used, 0);
    item("compute_mode", "Default");
    open_item("utilization");
    code = CALL("nvmlDeviceGetUtilizationRates", device, &load);
    snprintf(text, sizeof text, "%u %%", load.gpu);
    item("gpu_util", code ? refusal(code) : text);
    snprintf(text, sizeof text, "%u %%", load.memory);
    item("memory_util", code ? refusal(code) : text);
    close_item("utilization");
    ecc_items(device);
    page_items(device);
    row_items(device);
    open_item("temperature");
    item("gpu_temp", number_of("nvmlDeviceGetTemperature", device, "%u C", 0));
    item("gpu_temp_max_threshold", number_of("nvmlDeviceGetTemperatureThreshold", device, "%u C", 0));
    close_item("temperature");
    power_items(device);
    item("processes", "");
    close_item("gpu");
}

static int print_xml(void)
{
    char version[80] = "";
    int cuda = 0, worst = 0;
    start();
    unsigned int count = count_gpus();
    CALL("nvmlSystemGetDriverVersion", version, (unsigned)sizeof version);
    CALL("nvmlSystemGetCudaDriverVersion_v2", &cuda);
    line("<?xml version=\"1.0\" ?>");
    line("<!DOCTYPE nvidia_smi_log SYSTEM \"nvsmi_device_v12.dtd\">");
    open_item("nvidia_smi_log");
    item("timestamp", "Sun Nov 22 12:00:00 2026");
    item("driver_version", version);
    line("<cuda_version>%d.%d</cuda_version>", cuda / 1000, cuda % 1000 / 10);
    line("<attached_gpus>%u</attached_gpus>", count);
    for (unsigned int index = 0; index < count; index++) {
        Device device = handle(index, &worst);
        if (device)
            gpu_items(device);
    }
    close_item("nvidia_smi_log");
    return worst;
}

/* ---- the other forms ---- */

static int print_list(void)
{
    int worst = 0;
    start();
    unsigned int count = count_gpus();
    for (unsigned int index = 0; index < count; index++) {
        Device part, device = handle(index, &worst);
        if (!device)
            continue;
        const char *name = text_of("nvmlDeviceGetName", device);
        fprintf(out, "GPU %u: %s (UUID: %s)\n", index, name, text_of("nvmlDeviceGetUUID", device));
        for (unsigned int each = 0;
             each < 7 && CALL("nvmlDeviceGetMigDeviceHandleByIndex", device, each, &part) == 0; each++) {
            const char *profile = strstr(text_of("nvmlDeviceGetName", part), "MIG ");
            fprintf(out, "  MIG %-12s Device %2u: (UUID: %s)\n", profile ? profile + 4 : "?", each,
                    text_of("nvmlDeviceGetUUID", part));
        }
    }
    return worst;
}

static int set_persistence(int on)
{
    int worst = 0;
    start();
    unsigned int count = count_gpus();
    for (unsigned int index = 0; index < count; index++) {
        PciInfo pci;
        Device device = handle(index, &worst);
        if (!device || CALL("nvmlDeviceGetPciInfo_v3", device, &pci) != 0)
            continue;
        int code = CALL("nvmlDeviceSetPersistenceMode", device, (unsigned)on);
        if (code)
            fprintf(out, "Unable to set persistence mode for GPU %s: %s\n", pci.busId, error_text(code));
        else
            fprintf(out, "%s persistence mode for GPU %s.\n", on ? "Enabled" : "Disabled", pci.busId);
        worst = code ? code : worst;
    }
    fprintf(out, "All done.\n");
    return worst;
}

static const char *memory_of(Device device, const char *part)
{
    static char texts[4][64];
    static int turn;
    MemoryV2 memory = {.version = sizeof memory | 2u << 24};
    char *text = texts[turn++ % 4];
    int code = CALL("nvmlDeviceGetMemoryInfo_v2", device, &memory);
    unsigned long long value = strcmp(part, "total") == 0 ? memory.total
                               : strcmp(part, "used") == 0 ? memory.used
                               : strcmp(part, "free") == 0 ? memory.free
                                                           : memory.reserved;
    if (code)
        refuse(text, 64, code);
    else
        snprintf(text, 64, "%llu MiB", value >> 20);
    return text;
}

static const char *query(Device device, unsigned int index, unsigned int count, const char *field)
{
    static char text[160];
    PciInfo pci;
    Utilization load = {0, 0};
    memset(&pci, 0, sizeof pci);
    CALL("nvmlDeviceGetPciInfo_v3", device, &pci);
    if (strcmp(field, "index") == 0)
        snprintf(text, sizeof text, "%u", index);
    else if (strcmp(field, "count") == 0)
        snprintf(text, sizeof text, "%u", count);
    else if (strcmp(field, "driver_version") == 0)
        CALL("nvmlSystemGetDriverVersion", text, 80u);
    else if (strcmp(field, "pci.bus_id") == 0 || strcmp(field, "gpu_bus_id") == 0)
        return strcpy(text, pci.busId);
    else if (strcmp(field, "pci.device_id") == 0)
        snprintf(text, sizeof text, "0x%08X", pci.pciDeviceId);
    else if (strcmp(field, "mig.mode.current") == 0)
        return mode_of("nvmlDeviceGetMigMode", device, 0);
    else if (strcmp(field, "ecc.mode.current") == 0)
        return mode_of("nvmlDeviceGetEccMode", device, 0);
    else if (strcmp(field, "persistence_mode") == 0)
        return strcmp(number_of("nvmlDeviceGetPersistenceMode", device, "%u", -1), "1") ? "Disabled" : "Enabled";
    else if (strcmp(field, "utilization.gpu") == 0) {
        int code = CALL("nvmlDeviceGetUtilizationRates", device, &load);
        if (code)
            refuse(text, sizeof text, code);
        else
            snprintf(text, sizeof text, "%u %%", load.gpu);
    } else if (strcmp(field, "ecc.errors.uncorrected.volatile.total") == 0)
        return ecc_of(device, 1, 0, 2);
    else if (strcmp(field, "ecc.errors.corrected.volatile.total") == 0)
        return ecc_of(device, 0, 0, 2);
    else if (strcmp(field, "name") == 0 || strcmp(field, "gpu_name") == 0)
        return text_of("nvmlDeviceGetName", device);
    else if (strcmp(field, "uuid") == 0 || strcmp(field, "gpu_uuid") == 0)
        return text_of("nvmlDeviceGetUUID", device);
    else if (strcmp(field, "serial") == 0)
        return text_of("nvmlDeviceGetSerial", device);
    else if (strncmp(field, "memory.", 7) == 0)
        return memory_of(device, field + 7);
    else if (strcmp(field, "temperature.gpu") == 0)
        return number_of("nvmlDeviceGetTemperature", device, "%u", 0);
    else if (strcmp(field, "power.draw") == 0)
        return watts_of("nvmlDeviceGetPowerUsage", device);
    else if (strcmp(field, "power.limit") == 0 || strcmp(field, "enforced.power.limit") == 0)
        return watts_of("nvmlDeviceGetEnforcedPowerLimit", device);
    else if (strcmp(field, "pstate") == 0)
        return number_of("nvmlDeviceGetPerformanceState", device, "P%u", -1);
    else if (strcmp(field, "pcie.link.gen.current") == 0)
        return number_of("nvmlDeviceGetCurrPcieLinkGeneration", device, "%u", -1);
    else if (strcmp(field, "pcie.link.gen.max") == 0)
        return number_of("nvmlDeviceGetMaxPcieLinkGeneration", device, "%u", -1);
    else if (strcmp(field, "pcie.link.width.current") == 0)
        return number_of("nvmlDeviceGetCurrPcieLinkWidth", device, "%u", -1);
    else if (strcmp(field, "pcie.link.width.max") == 0)
        return number_of("nvmlDeviceGetMaxPcieLinkWidth", device, "%u", -1);
    else if (strcmp(field, "clocks.sm") == 0 || strcmp(field, "clocks.current.sm") == 0)
        return number_of("nvmlDeviceGetClockInfo", device, "%u MHz", 1);
    else if (strcmp(field, "clocks_throttle_reasons.active") == 0 ||
             strcmp(field, "clocks_event_reasons.active") == 0) {
        unsigned long long reasons = 0;
        CALL("nvmlDeviceGetCurrentClocksThrottleReasons", device, &reasons);
        snprintf(text, sizeof text, "0x%016llx", reasons);
    } else if (strcmp(field, "compute_cap") == 0) {
        int major = 0, minor = 0;
        CALL("nvmlDeviceGetCudaComputeCapability", device, &major, &minor);
        snprintf(text, sizeof text, "%d.%d", major, minor);
    } else {
        printf("Field \"%s\" is not a valid field to query.\n\n", field);
        exit(2);
    }
    return text;
}

static int print_csv(const char *fields, int has_header, int has_units)
{
    int worst = 0;
    has_brackets = 1;
    start();
    unsigned int count = count_gpus();
    if (has_header)
        fprintf(out, "%s\n", fields);
    for (unsigned int index = 0; index < count; index++) {
        Device device = handle(index, &worst);
        char words[1024], value[160], *rest = words;
        const char *gap = "";
        if (!device)
            continue;
        snprintf(words, sizeof words, "%s", fields);
        for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ","), gap = ", ") {
            snprintf(value, sizeof value, "%s", query(device, index, count, word + strspn(word, " ")));
            size_t length = strlen(value);
            if (!has_units && length > 2 && isdigit((unsigned char)value[0]))
                value[strcspn(value, " ")] = '\0';
            fprintf(out, "%s%s", gap, value);
        }
        fputc('\n', out);
    }
    return worst;
}

static int print_table(void)
{
    char version[80] = "";
    int cuda = 0, worst = 0;
    start();
    unsigned int count = count_gpus();
    CALL("nvmlSystemGetDriverVersion", version, (unsigned)sizeof version);
    CALL("nvmlSystemGetCudaDriverVersion_v2", &cuda);
    fprintf(out, "NVIDIA-SMI %s (stand-in)   Driver Version: %s   CUDA Version: %d.%d\n", version, version,
            cuda / 1000, cuda % 1000 / 10);
    for (unsigned int index = 0; index < count; index++) {
        Device device = handle(index, &worst);
        if (device)
            fprintf(out, "%3u  %-40s %s  %s\n", index, text_of("nvmlDeviceGetName", device),
                    memory_of(device, "used"), memory_of(device, "total"));
    }
    return worst;
}

static void break_as_set(void)
{
    char mode[32];
    if (!machine_read() || !machine_value("smi", mode, sizeof mode))
        return;
    if (strcmp(mode, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(mode, "garbage") == 0) {
        static const unsigned char bytes[] = {0xff, 0xfe, 0x00, 0x80, '<', '?', 'x', 'm', 'l', 0xc3, 0x28, '\n'};
        fwrite(bytes, 1, sizeof bytes, stdout);
        exit(0);
    }
    if (isdigit((unsigned char)mode[0]))
        usleep((useconds_t)(atof(mode) * 1e6));
}

static int finish(int code)
{
    char mode[32];
    fclose(out);
    if (machine_read() && machine_value("smi", mode, sizeof mode) && strcmp(mode, "truncated") == 0)
        output_size /= 2;
    fwrite(output, 1, output_size, stdout);
    return code;
}

int main(int argc, char **argv)
{
    const char *fields = NULL;
    int list = 0, quiet_xml = 0, has_header = 1, has_units = 1, persistence = -1;
    for (int each = 1; each < argc; each++) {
        const char *word = argv[each], *value = each + 1 < argc ? argv[each + 1] : "";
        if (strcmp(word, "--version") == 0) {
            printf("nvidia-smi: a stand-in for test nodes, made by tests/lab/gpu\n");
            return 0;
        }
        if (strcmp(word, "-L") == 0 || strcmp(word, "--list-gpus") == 0)
            list = 1;
        else if (strcmp(word, "-x") == 0 || strcmp(word, "--xml-format") == 0)
            quiet_xml = 1;
        else if (strcmp(word, "-pm") == 0 || strcmp(word, "--persistence-mode") == 0)
            persistence = atoi(value), each++;
        else if (strncmp(word, "--persistence-mode=", 19) == 0)
            persistence = atoi(word + 19);
        else if (strncmp(word, "--query-gpu=", 12) == 0)
            fields = word + 12;
        else if (strncmp(word, "--format=", 9) == 0) {
            has_header = !strstr(word, "noheader");
            has_units = !strstr(word, "nounits");
        }
    }
    break_as_set();
    out = open_memstream(&output, &output_size);
    int code = list               ? print_list()
               : quiet_xml        ? print_xml()
               : persistence >= 0 ? set_persistence(persistence)
               : fields           ? print_csv(fields, has_header, has_units)
                                  : print_table();
    return finish(code);
}

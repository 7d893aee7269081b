// The fake GPU plugin: a kubelet device plugin that offers devices which do not exist, so that a machine without
// a GPU schedules, caps and hands out GPUs as a real one does. A container that asks for some finds their names in
// NVIDIA_VISIBLE_DEVICES, where NVIDIA's own plugin puts them, and no device file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	deviceplugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	kubeletSocket = "kubelet.sock"
	retryInterval = time.Second
)

type fakeGPUPlugin struct {
	deviceplugin.UnimplementedDevicePluginServer
	directory string
	resource  string
	socket    string
	devices   []*deviceplugin.Device
}

// runFakeGPUPlugin serves until SIGTERM or SIGINT and returns the exit status: 0 then, 1 when it could not
// serve, 2 when its arguments make no sense.
func runFakeGPUPlugin(arguments []string) int {
	flags := flag.NewFlagSet("fake-gpu-plugin", flag.ContinueOnError)
	directory := flags.String("socket-dir", deviceplugin.DevicePluginPath, "folder with the kubelet's socket")
	count := flags.Int("count", 1, "how many GPUs to advertise")
	resource := flags.String("resource", "nvidia.com/gpu", "extended resource to advertise them as")
	if err := flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *count < 0 || !strings.Contains(*resource, "/") || flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "--count must be 0 or more, --resource a domain and a name (nvidia.com/gpu), and nothing may follow; not %q\n", arguments)
		return 2
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	plugin := &fakeGPUPlugin{
		directory: *directory,
		resource:  *resource,
		socket:    "fake-" + strings.ReplaceAll(*resource, "/", "-") + ".sock",
	}
	for i := range *count {
		plugin.devices = append(plugin.devices, &deviceplugin.Device{
			ID:     fmt.Sprintf("GPU-%08x-0000-0000-0000-000000000000", i),
			Health: deviceplugin.Healthy,
		})
	}
	if err := plugin.run(ended); err != nil {
		log.Printf("fake-gpu-plugin: %v", err)
		return 1
	}
	return 0
}

// run serves and stays registered with whichever kubelet listens in the folder, until ended. A kubelet that
// starts deletes every plugin's socket and makes its own anew: that is the sign to serve and register again.
func (p *fakeGPUPlugin) run(ended context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot watch folders: %w", err)
	}
	defer watcher.Close()
	if err := watcher.Add(p.directory); err != nil {
		return fmt.Errorf("cannot watch %s: %w", p.directory, err)
	}
	for ended.Err() == nil {
		if err := p.serveOneKubelet(ended, watcher); err != nil {
			return err
		}
	}
	return nil
}

// serveOneKubelet returns nil when ended or when a kubelet has deleted our socket.
func (p *fakeGPUPlugin) serveOneKubelet(ended context.Context, watcher *fsnotify.Watcher) error {
	path := filepath.Join(p.directory, p.socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot replace the old socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	server := grpc.NewServer()
	deviceplugin.RegisterDevicePluginServer(server, p)
	go server.Serve(listener) // Returns when stopped; closing the listener removes the socket's file.
	defer server.Stop()

	var registered os.FileInfo // The socket of the kubelet that knows us.
	complained := false
	for {
		kubelet, err := os.Stat(filepath.Join(p.directory, kubeletSocket))
		// Looked for after the kubelet's: a kubelet deletes ours before it makes its own.
		if _, gone := os.Stat(path); gone != nil {
			return nil
		}
		var retry <-chan time.Time
		if err == nil && !isSame(kubelet, registered) {
			if err = p.register(ended); err == nil {
				registered = kubelet
				log.Printf("fake-gpu-plugin: registered %d of %s", len(p.devices), p.resource)
			} else {
				retry = time.After(retryInterval)
			}
		}
		if err != nil && !complained {
			log.Printf("fake-gpu-plugin: not registered yet, trying again: %v", err)
			complained = true
		}
		select {
		case <-ended.Done():
			return nil
		case <-watcher.Events:
		case err := <-watcher.Errors:
			return fmt.Errorf("lost sight of %s: %w", p.directory, err)
		case <-retry:
		}
	}
}

// isSame compares times as well, for a new file may have a deleted one's inode.
func isSame(socket, other os.FileInfo) bool {
	return other != nil && os.SameFile(socket, other) && socket.ModTime().Equal(other.ModTime())
}

// register makes the kubelet call back.
func (p *fakeGPUPlugin) register(ended context.Context) error {
	path := filepath.Join(p.directory, kubeletSocket)
	connection, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	limited, cancel := context.WithTimeout(ended, 10*time.Second)
	defer cancel()
	_, err = deviceplugin.NewRegistrationClient(connection).Register(limited, &deviceplugin.RegisterRequest{
		Version:      deviceplugin.Version,
		Endpoint:     p.socket,
		ResourceName: p.resource,
		Options:      &deviceplugin.DevicePluginOptions{},
	})
	return err
}

func (p *fakeGPUPlugin) GetDevicePluginOptions(context.Context, *deviceplugin.Empty) (*deviceplugin.DevicePluginOptions, error) {
	return &deviceplugin.DevicePluginOptions{}, nil
}

// ListAndWatch tells the devices once: they never change, and the kubelet takes the stream's end for their loss.
func (p *fakeGPUPlugin) ListAndWatch(_ *deviceplugin.Empty, stream deviceplugin.DevicePlugin_ListAndWatchServer) error {
	if err := stream.Send(&deviceplugin.ListAndWatchResponse{Devices: p.devices}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (p *fakeGPUPlugin) Allocate(_ context.Context, request *deviceplugin.AllocateRequest) (*deviceplugin.AllocateResponse, error) {
	response := &deviceplugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &deviceplugin.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}
